"""The errors that are known, by what stands in their text. The first that fits counts."""

from osler.doctor.crash_readings import (
    Read,
    batch_sizes,
    channels,
    embedding,
    empty_optimizer,
    image,
    label,
    matrices,
    no_gradient,
    one_value,
    probabilities,
    said,
    sizes,
    too_small,
    view,
)

SHAPES: list[tuple[str, Read]] = [
    (r"mat1 and mat2 shapes cannot be multiplied \((\d+)x(\d+) and (\d+)x(\d+)\)", matrices),
    (r"expected input\[([\d, ]+)\] to have (\d+) channels, but got (\d+) channels", channels),
    (
        (
            r"Expected (\dD \(unbatched\) or \dD \(batched\)|\dD or \dD) input to conv\w*, but got "
            r"input of size: \[([\d, ]+)\]"
        ),
        image,
    ),
    (
        (
            r"Kernel size can't be greater than actual input size|Output size is too small|padded input "
            r"size per channel"
        ),
        too_small,
    ),
    (
        (
            r"Expected more than 1 value per channel when training, got input size "
            r"(?:torch\.Size\()?(\[[\d, ]+\])"
        ),
        one_value,
    ),
    (r"Expected input batch_size \((\d+)\) to match target batch_size \((\d+)\)", batch_sizes),
    (r"shape '\[([-\d, ]+)\]' is invalid for input of size (\d+)", view),
    (r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\) at non-singleton dimension (\d+)", sizes),
    (
        (
            r"target size \(torch\.Size\(\[[\d, ]*\]\)\) (?:that is different to|must be the same as) "
            r"the input size|target size .* must be the same as input size"
        ),
        said(
            "outputs and targets have different shapes: {0}",
            "Give both the same shape: `output.squeeze(1)` or `target.unsqueeze(1)`.",
        ),
    ),
    (
        r"running_mean should contain (\d+) elements not (\d+)",
        said(
            "{layer} was made for another number of channels than it is given: {0}",
            "Make it for as many as the layer before puts out.",
            at_layer=True,
        ),
    ),
    (
        r"view size is not compatible with input tensor's size and stride",
        said(
            ("`view` was called on a tensor whose values do not lie in a row in memory (after a transpose or permute)"),
            "Use `reshape` or `flatten`.",
        ),
    ),
    (
        r"stack expects each tensor to be equal size",
        said(
            "the samples of a batch have different sizes: {0}",
            "Bring them to one size in the dataset (resize, crop, pad), or write a collate_fn.",
        ),
    ),
]
LABELS: list[tuple[str, Read]] = [
    (r"Target (-?\d+) is out of bounds", label),
    (
        r"device-side assert triggered|t >= 0 && t < n_classes",
        said(
            ("on a GPU this is most often a label outside of the classes, or an index beyond an embedding's table"),
            "Run once on the CPU for the exact line; check that labels go from 0 to classes - 1.",
            "label-out-of-range",
        ),
    ),
    (r"index out of range in self", embedding),
    (r"all elements of (?:input|target) should be between 0 and 1", probabilities),
    (
        r"0D or 1D target tensor expected, multi-target not supported",
        said(
            (
                "cross_entropy takes one whole number a sample as its target and was given a column or "
                "one-hot rows of whole numbers"
            ),
            "Use `y.squeeze(1)` for a column, `y.argmax(1)` or `y.float()` for one-hot rows.",
        ),
    ),
    (
        (
            r"(?:expected scalar type Long but found (?:Float|Double|Int|Byte|Short)|nll_loss\w* not "
            r"implemented for '\w+'|Expected object of scalar type Long|"
            r"expected target dtype to be Long)"
        ),
        said(
            "the loss takes class numbers of type long and was given another type: {0}",
            "Convert the labels: `y.long()`.",
        ),
    ),
    (
        (
            r"[Ee]xpected floating point type for target with class probabilities, got (\w+)|result "
            r"type Float can't be cast to the desired output type Long"
        ),
        said(
            "the loss takes targets of type float and was given whole numbers: {0}",
            "Convert the targets: `y.float()`; for cross_entropy give class numbers of shape [batch].",
        ),
    ),
    (
        r"Expected target size \[([\d, ]+)\], got \[([\d, ]+)\]",
        said(
            "cross_entropy wants the classes on axis 1: {0}",
            "Move them there: `output.permute(0, 2, 1)`, or flatten positions into the batch.",
        ),
    ),
]
TYPES: list[tuple[str, Read]] = [
    (
        (
            r"Expected all tensors to be on the same device|weight type \(torch\.(?:cuda\.)?\w+\) "
            r"should be the same|Input and parameter tensors are not (?:on|at) the same device|is on "
            r"cuda|on (?:cpu|cuda:\d) but expected"
        ),
        said(
            "network and data are on different devices, or of different types: {0}",
            "Move both: `model.to(device)`, `x = x.to(device)`; numbers from NumPy want `.float()`.",
        ),
    ),
    (
        (
            r"mat1 and mat2 must have the same dtype|expected m1 and m2 to have the same dtype|Input "
            r"type \(\w+\) and (?:bias|weight) type \(\w+\) should be the same|expected scalar type "
            r"(?:Float|Double|Half) but found \w+|Found dtype \w+ but expected \w+"
        ),
        said(
            "{layer} has weights of one type and is given numbers of another: {0}",
            "Convert the data: `x.float()` (arrays of NumPy are double, pictures bytes).",
        ),
    ),
    (
        r"to have one of the following scalar types: Long, Int",
        said("{layer} looks rows up by whole numbers and was given others: {0}", "Convert the indices: `x.long()`."),
    ),
    (
        r"not implemented for '(\w+)'|could not infer output dtype|must be either a floating point or complex",
        said("an operation was asked for on a type that it does not know: {0}", "Convert to float first: `x.float()`."),
    ),
    (
        r"Can't call numpy\(\) on Tensor that requires grad",
        said(
            "a tensor through which gradients run cannot become an array",
            "Use `x.detach().cpu().numpy()`, for figures only, never for the loss.",
        ),
    ),
    (
        r"can't convert cuda:?\d* device type tensor to numpy",
        said("a tensor on the GPU cannot become an array", "Use `x.cpu().numpy()`."),
    ),
]
GRADIENTS: list[tuple[str, Read]] = [
    (r"does not require grad and does not have a grad_fn", no_gradient),
    (
        r"Trying to backward through the graph a second time",
        said(
            (
                "`backward` went twice through the same operations: a tensor of an earlier step (a hidden "
                "state, a summed loss, a part computed once before the loop) is still in the graph"
            ),
            "Compute it anew in each step, or detach what is carried over: `h = h.detach()`.",
        ),
    ),
    (
        r"modified by an inplace operation",
        said(
            (
                "a value that the gradient needs was overwritten (`x += ...`, `x[i] = ...`, `relu_`, or a "
                "step between forward and backward)"
            ),
            ("Write to a new tensor, and call `step` only after every `backward` that uses these weights."),
        ),
    ),
    (
        r"leaf Variable that requires grad is being used in an in-place operation",
        said("weights were changed in place while gradients are recorded", "Do it under `torch.no_grad()`."),
    ),
    (
        r"grad can be implicitly created only for scalar outputs",
        said(
            "`backward` was called on many losses at once",
            "Take their mean first: `loss.mean().backward()`, or leave out reduction='none'.",
        ),
    ),
    (r"optimizer got an empty parameter list|optimizer got an empty", empty_optimizer),
    (
        r"can't optimize a non-leaf Tensor",
        said(
            "the optimizer was given a tensor that was computed from others",
            "Make it a leaf: `nn.Parameter(value.detach())`, after moving it to its device.",
        ),
    ),
    (
        r"No inf checks were recorded for this optimizer",
        said(
            "the GradScaler stepped an optimizer for which no scaled loss was backpropagated",
            "Call `scaler.scale(loss).backward()` before `scaler.step(optimizer)`.",
            "missing-backward-or-step",
        ),
    ),
]
SURROUNDINGS: list[tuple[str, Read]] = [
    (
        r"out of memory",
        said(
            "the memory of the GPU is used up: {0}",
            (
                "Use smaller batches or pictures; keep `loss.item()` rather than `loss`; evaluate under "
                "`torch.no_grad()`."
            ),
        ),
    ),
    (
        r"Error\(s\) in loading state_dict",
        said(
            "the saved weights belong to another network: {0}",
            ("Build the network as it was when it was saved; strip a 'module.' that DataParallel put before names."),
        ),
    ),
    (
        r"before the current process has finished its bootstrapping phase|DataLoader worker \(pid",
        said(
            "the workers of a DataLoader could not start, or died",
            ('Put the program under `if __name__ == "__main__":`, and use num_workers=0 to see the error itself.'),
        ),
    ),
    (
        r"num_samples should be a positive integer value, but got num_samples=0",
        said("the dataset is empty", "Check the folder, the split and the filter that make it."),
    ),
    (
        r"FileNotFoundError|No such file or directory",
        said("a file is missing: {0}", "Check the path; it is read from the folder in which the program was started."),
    ),
    (r"ModuleNotFoundError", said("a package is not installed", "Install it into this environment.")),
    (
        r"Boolean value of Tensor with more than one value is ambiguous",
        said(
            (
                "a condition was asked of a tensor of many values; also what comes of "
                "`nn.CrossEntropyLoss(output, target)`"
            ),
            (
                "Make the loss first, then call it: `nn.CrossEntropyLoss()(output, target)`; of conditions "
                "use `.any()` or `.all()`."
            ),
        ),
    ),
    (
        r"a Tensor with \d+ elements cannot be converted to Scalar",
        said("`.item()` was called on a tensor of many values", "Take its mean or sum first."),
    ),
]
READINGS: list[tuple[str, Read]] = [*SHAPES, *LABELS, *TYPES, *GRADIENTS, *SURROUNDINGS]
