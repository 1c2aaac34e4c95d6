"""The letters of `Evidence.order`: the order of calls in a training, as a word."""

TRAIN_FORWARD = "F"  # a network is called and gradients are recorded
EVALUATE_FORWARD = "f"  # a network is called without
LOSS = "L"
BACKWARD = "B"
GRADIENT = "G"  # torch.autograd.grad
CLIP = "C"
STEP = "S"
ZERO_GRAD = "Z"
SCHEDULE = "R"  # a learning-rate schedule steps
TRAIN_MODE = "T"
EVALUATION_MODE = "E"
EPOCH = "|"  # a loader begins anew
