"""What the edits for faults of modes, metrics and the length of training make of programs in several styles."""

import pytest
from remedy_programs import Program

from osler.vitals.evidence import Backward, Broadcast, LayerSeen, OptimizerSeen, Producer, Site

INLINE = """
    net.eval()
    for epoch in range(20):  # all
        for x, y in loader:
            loss = f(net(x), y)
            loss.backward()
        with torch.no_grad():
            print(g(net(x_val), y_val))
    """


def inline(**modes) -> Program:
    program = (
        Program(INLINE)
        .called("loss = f", **modes)
        .called("print(", "evaluate", training=True)
        .judged("print(", training=True)
    )
    program.evidence.backwards.append(Backward(program.site("loss.backward"), 100))
    return program


def test_training_mode_is_set_at_the_beginning_of_every_epoch():
    program = inline(training=False)
    assert program.mended("eval-mode-in-training", "net.eval()") == [
        program.with_lines(("# all\n", "# all\n    net.train()\n"))
    ]


def test_an_eval_in_the_place_of_train_is_exchanged():
    program = Program("""
        class Trainer:
            def epoch(self):
                self.net.eval()  # mode
                for x, y in self.loader:
                    loss = f(self.net(x), y)
        """)
    program.model.name = "self.net"
    program.called("loss = f", training=False)
    mended = program.mended("eval-mode-in-training", "self.net.eval()")
    assert mended[0] == program.with_lines(("self.net.eval()  # mode", "self.net.train()  # mode"))


def test_training_mode_is_set_for_every_step_where_steps_are_followed_by_evaluations():
    program = (
        Program("""
        for epoch in range(20):
            for x, y in loader:
                loss = f(net(x), y)
                loss.backward()
                if step % 100 == 0:
                    net.eval()
                    print(g(net(x_val), y_val))
        """)
        .called("loss = f", training=False)
        .called("print(", "evaluate")
    )
    program.evidence.backwards.append(Backward(program.site("loss.backward"), 100))
    mended = program.mended("eval-mode-in-training", "net.eval()")
    assert mended[0] == program.with_lines(("        loss = f", "        net.train()\n        loss = f"))


def test_evaluation_mode_is_set_before_the_pass_and_training_mode_after():
    program = inline()
    mended = program.mended("train-mode-in-evaluation", "with torch.no_grad()")
    assert mended == [
        program.with_lines(
            ("# all\n", "# all\n    net.train()\n"),
            ("    with torch.no_grad()", "    net.eval()\n    with torch.no_grad()"),
        )
    ]


def test_evaluation_mode_is_set_in_the_function_that_evaluates():
    program = (
        Program("""
        def train(net):
            net.train()
            for x, y in loader:
                loss = f(net(x), y)
                loss.backward()

        def score(net):
            net.train()  # copied
            return g(net(x_val), y_val)

        for epoch in range(3):
            train(net)
            score(net)
        """)
        .called("loss = f")
        .called("return g", "evaluate", training=True)
        .judged("return g", training=True)
    )
    program.evidence.backwards.append(Backward(program.site("loss.backward"), 100))
    mended = program.mended("train-mode-in-evaluation", "net.train()  # copied")
    assert mended == [program.with_lines(("net.train()  # copied", "net.eval()  # copied"))]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return F.dropout(x, 0.5)", "return F.dropout(x, 0.5, training=self.training)"),
        ("return F.dropout(x, 0.5, True)", "return F.dropout(x, 0.5, self.training)"),
        ("return nn.Dropout(0.3)(x)", "return torch.nn.functional.dropout(x, 0.3, training=self.training)"),
    ],
)
def test_dropout_follows_the_mode(old, new):
    program = Program(f"import torch\nclass Net(nn.Module):\n    def forward(self, x):\n        {old}\n")
    program.model.call_counts["train"] = 1
    assert program.mended("train-mode-in-evaluation", "return") == [program.with_lines((old, new))]


@pytest.mark.parametrize(
    ("mask", "share"),
    [
        ("(torch.rand_like(x) > self.p).float()", "(1 - self.p)"),
        ("(torch.rand(x.shape) < keep).float()", "keep"),
        ("torch.bernoulli(torch.full_like(x, 1 - self.p))", "(1 - self.p)"),
    ],
)
def test_what_a_hand_made_dropout_keeps_is_divided_by_its_share(mask, share):
    program = Program(f"def forward(self, x):\n    mask = {mask}\n    return x * mask  # thin\n")
    program.model.call_counts["train"] = 1
    assert program.mended("train-eval-gap", "return") == [program.with_lines(("x * mask", f"x * mask / {share}"))]


# ---- answers


@pytest.mark.parametrize(
    ("said", "old", "new"),
    [
        ("one value only", "p = net(x).argmax(dim=1)", "p = (net(x).squeeze(1) > 0).long()"),
        ("one value only", "_, p = torch.max(out, 1)", "p = (out.squeeze(1) > 0).long()"),
        ("one value only", "p = torch.max(out, 1)[1]", "p = (out.squeeze(1) > 0).long()"),
        ("one value only", "p = out.max(1).indices", "p = (out.squeeze(1) > 0).long()"),
        ("axis of samples", "p = out.argmax(0)", "p = out.argmax(1)"),
        ("axis of samples", "p = torch.argmax(out, dim=0)", "p = torch.argmax(out, dim=1)"),
        ("ends with a sigmoid", "p = torch.sigmoid(net(x)) > 0.5", "p = net(x) > 0.5"),
        ("ends with a sigmoid", "p = net(x).sigmoid() > 0.5", "p = net(x) > 0.5"),
        ("a probability of 0.62", "p = net(x) > 0.5", "p = net(x) > 0"),
        ("a probability of 0.62", "p = torch.round(out)", "p = (out > 0).float()"),
        ("bit by bit", "p = (out.round() == y).float()", "p = (out.argmax(1) == y.argmax(1)).float()"),
    ],
)
def test_answers_fit_the_outputs(said, old, new):
    program = Program(f"{old}  # answers\n")
    program.model.call_counts["train"] = 1
    assert program.mended("wrong-metric", "p = ", evidence=said)[0] == program.with_lines((old, new))


def test_a_network_that_ends_in_a_sigmoid_is_compared_with_a_half():
    program = Program("p = net(x).argmax(1)\n")
    program.model.call_counts["train"] = 1
    program.model.outputs_of = [Producer("SqueezeBackward1"), Producer("SigmoidBackward0")]
    assert program.mended("wrong-metric", "p = ", evidence="one value only") == [
        "p = (net(x).squeeze(1) > 0.5).long()\n"
    ]


def test_the_longer_of_two_shapes_is_squeezed():
    program = Program("hit = (out == y).float()\n")
    program.model.call_counts["train"] = 1
    program.evidence.broadcasts.append(Broadcast("eq", ((32, 1), (32,)), False, program.site("hit")))
    mended = program.mended("wrong-metric", "hit", evidence="shapes are compared: that makes 1,024")
    assert mended == ["hit = (out.squeeze(1) == y).float()\n"]


def test_the_edge_is_put_to_a_half_of_probabilities():
    program = Program("p = torch.sigmoid(net(x)) > 0.95\n")
    program.model.call_counts["train"] = 1
    assert program.mended("precision-recall-imbalance", "p = ")[0] == "p = torch.sigmoid(net(x)) > 0.5\n"


def test_a_lopsided_weight_is_left_out():
    program = (
        Program("""
        crit = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(50.0))
        loss = crit(net(x), y)
        """)
        .called("loss = crit")
        .loss("loss = crit", "binary_cross_entropy_with_logits", {0: 5, 1: 5}, width=1)
    )
    program.evidence.losses[0].options["pos_weight"] = (50.0,)
    mended = program.mended("precision-recall-imbalance", "crit = ")
    assert program.with_lines(("pos_weight=torch.tensor(50.0)", "")) in mended


# ---- length


def long_one(source: str) -> Program:
    program = Program(source).called("loss = f")
    program.evidence.backwards.append(Backward(program.site("loss.backward"), 25, [(k, 1.0) for k in range(25)]))
    program.evidence.optimizers.append(
        OptimizerSeen("Adam", program.site("Adam("), [{"lr": 0.001, "weight_decay": 0}], steps=25)
    )
    program.evidence.steps = 600
    return program


def test_training_lasts_longer_where_the_number_is_written():
    program = long_one("""
        EPOCHS = 5  # quick
        opt = torch.optim.Adam(net.parameters(), lr=0.001)
        for epoch in range(1, EPOCHS + 1):
            loss = f(net(x), y)
            loss.backward()
        """)
    mended = program.mended("undertrained", "EPOCHS = 5")
    assert mended[0] == program.with_lines(("EPOCHS = 5  #", "EPOCHS = 25  #"))
    assert mended[1] == program.with_lines(("lr=0.001", "lr=0.01"))


def test_training_of_a_function_with_a_default_lasts_longer():
    program = long_one("""
        def fit(net, epochs=5):
            opt = torch.optim.Adam(net.parameters(), lr=0.001)
            for epoch in range(epochs):
                loss = f(net(x), y)
                loss.backward()
        fit(net)
        """)
    assert program.mended("undertrained", "def fit")[0] == program.with_lines(("epochs=5", "epochs=25"))


def test_overfitting_is_held_back():
    program = long_one("""
        net = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.0))
        opt = torch.optim.Adam(net.parameters(), lr=0.001)
        for epoch in range(5):
            loss = f(net(x), y)
            loss.backward()
        """)
    program.model.layers["1"] = LayerSeen("1", "Dropout", program.site("nn.Dropout"), {"p": 0.0})
    mended = program.mended("overfitting", "range(5)")
    assert mended == [
        program.with_lines(("nn.Dropout(0.0)", "nn.Dropout(0.5)")),
        program.with_lines(("lr=0.001)", "lr=0.001, weight_decay=0.001)")),
    ]


def test_underfitting_is_held_back_less():
    program = long_one("""
        opt = torch.optim.Adam(net.parameters(), lr=0.001, weight_decay=0.1)
        for epoch in range(5):
            loss = f(net(x), y)
            loss.backward()
        """)
    program.evidence.optimizers[0].options[0]["weight_decay"] = 0.1
    assert program.mended("underfitting", "range(5)")[0] == program.with_lines(("weight_decay=0.1", "weight_decay=0"))


def test_the_last_activation_is_taken_away():
    program = (
        Program("""
        net = nn.Sequential(nn.Linear(4, 1), nn.ReLU())  # positive
        loss = F.mse_loss(net(x), y)
        """)
        .called("loss = F")
        .loss("loss = F", "mse_loss", {-1.0: 5, 1.0: 5}, integer=False, width=1)
    )
    made = program.site("nn.ReLU")
    program.model.layers["0"] = LayerSeen(
        "0", "Linear", made, {"in_features": 4, "out_features": 1}, ("0.weight",), order=0
    )
    program.model.layers["1"] = LayerSeen("1", "ReLU", made, {}, order=1)
    way = [Producer("ReluBackward0", Site("train.py", 2), "1"), Producer("AddmmBackward0", Site("train.py", 2), "0")]
    program.evidence.losses[0].made_by = way
    mended = program.mended("target-out-of-output-range", "loss = F", layer="1")
    assert mended == [program.with_lines(("nn.Linear(4, 1), nn.ReLU())", "nn.Linear(4, 1))"))]
