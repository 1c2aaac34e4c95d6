"""What the edits for faults of the data make of programs in several styles: the change, and nothing but the change."""

import pytest
from remedy_programs import Program, summary

from osler.vitals.evidence import LayerSeen, LoaderSeen

PLAIN = """
    import numpy as np
    import torch
    from torch import nn

    X, y = read()  # from disk
    X_tr, X_te = torch.tensor(X[:800], dtype=torch.float32), torch.tensor(X[800:], dtype=torch.float32)
    y_tr, y_te = torch.tensor(y[:800]), torch.tensor(y[800:])
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    for epoch in range(10):
        for i in range(0, 800, 32):
            loss = nn.functional.cross_entropy(net(X_tr[i:i + 32]), y_tr[i:i + 32])  # mean
            opt.zero_grad()
            loss.backward()
            opt.step()
        with torch.no_grad():
            print((net(X_te).argmax(1) == y_te).float().mean())
    """


def plain(given=None) -> Program:
    program = Program(PLAIN).called("loss = nn", given=given).called("print(", "evaluate")
    return program.loss("loss = nn", "cross_entropy", {0: 90, 1: 9, 2: 1})


def with_layers(program: Program) -> Program:
    program.model.layers["0"] = LayerSeen(
        "0", "Linear", program.site("nn.Linear(4, 8)"), {"in_features": 4}, ("0.weight",), order=0
    )
    program.model.train.picks = []
    return program


def test_pixels_are_divided_where_they_become_numbers_on_both_sides():
    mended = with_layers(plain(summary(high=255, mean=120, std=60))).mended("input-not-scaled", "X_tr, X_te")
    assert "X_tr, X_te = torch.tensor(X[:800], dtype=torch.float32) / 255" in mended[0]
    assert "X, y = read()  # from disk" in mended[0]


def test_pixels_are_divided_where_the_network_is_called():
    mended = with_layers(plain(summary(high=255, mean=120, std=60))).mended("input-not-scaled", "X_tr, X_te")
    assert any("net(X_tr[i:i + 32] / 255)" in m and "net(X_te / 255)" in m for m in mended)


def test_pixels_are_divided_in_forward_with_its_docstring_kept():
    program = Program("""
        class Net(nn.Module):
            def forward(self, images):
                '''Scores.'''
                return self.fc(images)

        def step(net, batch):
            return loss_of(net(batch["x"]), batch["y"])
        """)
    program.model.kind = "Net"
    program.called("return loss_of", given=summary(high=255, mean=120, std=60))
    mended = with_layers_of_class(program).mended("input-not-scaled", "return loss_of")
    assert "'''Scores.'''\n        images = images / 255\n        return" in mended[0]


def with_layers_of_class(program: Program) -> Program:
    program.model.layers["fc"] = LayerSeen("fc", "Linear", None, {}, ("fc.weight",), order=0)
    return program


def test_the_second_scaling_is_left_out():
    program = Program("""
        x = torch.from_numpy(raw).float() / 255
        x = x / 255.  # again
        for epoch in range(3):
            loss = f(net(x), y)
        """).called("loss = f", given=summary(high=1 / 255, mean=0.002, std=0.001))
    program.model.layers["0"] = LayerSeen("0", "Linear", None, {}, ("0.weight",), order=0)
    mended = program.mended("input-scaled-twice", "x = x / 255.")
    assert program.with_lines(("x = x / 255.  # again\n", "")) in mended
    assert program.with_lines((".float() / 255\n", ".float()\n")) in mended


def test_the_second_scaling_is_left_out_on_both_ways():
    program = Program("""
        a = torch.tensor(pixels / 255)
        b = torch.tensor(others / 255)
        a, k = a / 255.0, 1
        b = b / 255.0
        loss = f(net(a), y)
        hits = net(b)
        """).called("loss = f", given=summary(high=1 / 255, mean=0.002, std=0.001))
    program.called("hits =", "evaluate").judged("hits =")
    program.model.layers["0"] = LayerSeen("0", "Linear", None, {}, ("0.weight",), order=0)
    mended = program.mended("input-scaled-twice", "a, k")
    assert program.with_lines(("a / 255.0", "a"), ("b = b / 255.0\n", "")) in mended


def test_two_orders_are_made_one():
    program = (
        Program("""
        order = np.random.permutation(9)
        x = x[order]
        other = np.random.permutation(9)
        y = y[other]  # labels
        loss = f(net(x), y)
        """)
        .called("loss = f")
        .loss("loss = f", "cross_entropy", {0: 1, 1: 1})
    )
    mended = program.mended("labels-shuffled", "x = x")
    assert mended[0] == program.with_lines(("y[other]", "y[order]"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("h = hsv[..., 0] // 180  # hue", "h = hsv[..., 0] / 180  # hue"),
        ("h = (hsv / 180).astype(np.uint8)", "h = (hsv / 180).astype(np.float32)"),
        ("h = (hsv / 180).astype('uint8')", "h = (hsv / 180).astype('float32')"),
        ("h = (hsv / 180).long()", "h = (hsv / 180).float()"),
    ],
)
def test_fractions_are_kept(old, new):
    program = Program(f"{old}\nx = torch.tensor(h)\nloss = f(net(x), y)\n").called("loss = f")
    assert program.mended("constant-input", "h = ")[0] == program.with_lines((old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x = np.log(raw)  # skewed", "x = np.log1p(raw)  # skewed"),
        ("x = (raw - raw.mean(0)) / raw.std(0)", "x = (raw - raw.mean(0)) / (raw.std(0) + 1e-8)"),
        ("x = torch.log10(raw)", "x = torch.log10(raw + 1e-6)"),
    ],
)
def test_what_makes_infinities_is_repaired(old, new):
    program = Program(f"{old}\nx = torch.tensor(x).float()\nloss = f(net(x), y)\n").called(
        "loss = f", given=summary(bad=4)
    )
    assert program.mended("non-finite-input", old.partition("  #")[0])[0] == program.with_lines((old, new))


def test_targets_are_scaled_behind_their_assignment():
    program = (
        Program("""
        x, y = load()
        y = y ** 4  # steep
        tr, te = perm[:80], perm[80:]
        loss = F.mse_loss(net(x[tr]), y[tr])
        """)
        .called("loss = F")
        .loss("loss = F", "mse_loss", {1.0: 3, 1e8: 3}, integer=False, width=1)
    )
    mended = program.mended("target-not-scaled", "y = y ** 4")
    assert mended[0] == program.with_lines(("# steep\n", "# steep\ny = (y - y.mean()) / y.std()\n"))
    assert "y[tr] - 0.5) / 0.3)" in mended[1]


def test_labels_begin_at_nought_where_they_are_made():
    program = plain()
    program.evidence.losses.clear()
    program.loss("loss = nn", "cross_entropy", {1: 9, 2: 9, 3: 9})
    mended = program.mended("label-out-of-range", "loss = nn")
    assert "X, y = read()  # from disk\ny = y - 1\n" in mended[0]
    assert "y_tr[i:i + 32] - 1)  # mean" in mended[1]


def test_labels_of_minus_one_and_one_are_halved_at_the_loss():
    program = (
        Program("""
        loss = F.binary_cross_entropy_with_logits(net(x), y)
        hit = torch.sign(net(x).argmax(1)) == y
        """)
        .called("loss = F")
        .loss("loss = F", "binary_cross_entropy_with_logits", {-1.0: 5, 1.0: 5}, width=1)
    )
    assert "net(x), (y + 1) / 2)" in program.mended("label-out-of-range", "loss = F")[0]


def test_the_loss_is_weighed_by_the_counts():
    mended = plain().mended("class-imbalance", "loss = nn")
    assert "y_tr[i:i + 32], weight=torch.tensor([0.0297, 0.297, 2.67]))  # mean" in mended[0]


def test_classes_are_drawn_evenly_in_place_of_shuffling():
    program = plain()
    program.source = program.source.replace("for epoch", "loader = DataLoader(data, 16, shuffle=True)\nfor epoch")
    program.evidence.source = program.source
    program.evidence.loaders.append(LoaderSeen(program.site("DataLoader("), 100, 16, "", False, 0, "TensorDataset"))
    program.evidence.loaders[0].used_for["train"] = 5
    program.evidence.losses[0].site = program.site("loss = nn")
    mended = program.mended("class-imbalance", "loader = ")
    assert any("DataLoader(data, 16, sampler=balanced)" in m and "for _, label in data])" in m for m in mended)


def test_one_permutation_serves_both():
    program = (
        Program("""
        X, y = read()
        # mix
        np.random.shuffle(X)
        X_tr, y_tr = X[:80], y[:80]
        loss = f(net(X_tr), y_tr)
        """)
        .called("loss = f")
        .loss("loss = f", "cross_entropy", {0: 1, 1: 1})
    )
    mended = program.mended("labels-shuffled", "np.random.shuffle")
    assert mended[0] == program.with_lines(
        ("np.random.shuffle(X)\n", "order = np.random.permutation(len(X))\nX, y = X[order], y[order]\n")
    )


def test_a_permutation_of_one_side_by_an_index_serves_both():
    program = (
        Program("""
        X = read_x()
        y = read_y()
        y = y[torch.randperm(len(y))]
        loss = f(net(X), y)
        """)
        .called("loss = f")
        .loss("loss = f", "cross_entropy", {0: 1, 1: 1})
    )
    mended = program.mended("labels-shuffled", "y = y[")
    assert "order = torch.randperm(len(y))\nX, y = X[order], y[order]\n" in mended[0]


def test_copies_are_made_behind_the_split():
    program = Program("""
        X, y = enlarge(X, y)  # more of them
        A, B, c, d = train_test_split(X, y, test_size=0.3)
        loss = f(net(A), c)
        """)
    program.model.call_counts["train"] = 1
    mended = program.mended("train-test-leak", "enlarge")
    assert mended[0].splitlines()[:2] == [
        "A, B, c, d = train_test_split(X, y, test_size=0.3)",
        "A, c = enlarge(A, c)  # more of them",
    ]


def test_slices_that_overlap_are_made_to_meet():
    program = Program("train, test = x[:1200], x[1000:]\n")
    program.model.call_counts["train"] = 1
    assert program.mended("train-test-leak", "train, test") == ["train, test = x[:1200], x[1200:]\n"]


JITTER = """
    def jitter(x):
        return x + rng.normal(0, 1, x.shape)

    for epoch in range(3):
        for phase in ("train", "val"):
            x = torch.tensor(jitter(data[phase]))  # noisy
            out = net(x)
            if phase == "train":
                step(out)
    """


def test_random_changes_are_made_under_the_phase():
    program = Program(JITTER).called("out = net").called("out = net", "evaluate")
    mended = program.mended("validation-augmented", "x = torch")
    assert mended[0] == program.with_lines(
        ("torch.tensor(jitter(data[phase]))", "torch.tensor(jitter(data[phase]) if phase == 'train' else data[phase])")
    )


def test_the_evaluation_data_get_the_plain_transform():
    program = Program("""
        class Pictures(Dataset):
            def __init__(self, x, transform=None):
                self.x, self.transform = x, transform

        val_tf = plain
        val = Pictures(x_val, transform=noisy)
        out = net(x)
        """).called("out = net")
    mended = program.mended("validation-augmented", "val = Pictures")
    assert mended == [program.with_lines(("transform=noisy", "transform=val_tf"))]


def test_opencv_reads_in_the_order_of_the_other_side():
    program = (
        Program("""
        x_train = tensor([io.imread(p) for p in paths])
        x_test = tensor([cv2.imread(p) for p in others])
        loss = f(net(x_train), y)
        hits = net(x_test)
        """)
        .called("loss = f")
        .called("hits =", "evaluate")
        .judged("hits =")
    )
    mended = program.mended("preprocessing-mismatch", "x_test =", evidence="(as BGR for RGB)")
    assert mended[0] == program.with_lines(("cv2.imread(p)", "cv2.cvtColor(cv2.imread(p), cv2.COLOR_BGR2RGB)"))


def test_the_scaler_is_used_as_it_was_fitted():
    program = (
        Program("""
        x_train = torch.tensor(scaler.fit_transform(a))
        x_test = torch.tensor(scaler.fit_transform(b))
        loss = f(net(x_train), y)
        hits = net(x_test)
        """)
        .called("loss = f")
        .called("hits =", "evaluate")
        .judged("hits =")
    )
    mended = program.mended("preprocessing-mismatch", "x_test =")
    assert mended[0] == program.with_lines(("fit_transform(b)", "transform(b)"))


def test_the_side_that_was_not_divided_is_divided():
    program = (
        Program("""
        x_train = torch.tensor(a).float() / 255
        x_test = torch.tensor(b).float()
        loss = f(net(x_train), y)
        hits = net(x_test)
        """)
        .called("loss = f")
        .called("hits =", "evaluate")
        .judged("hits =")
    )
    mended = program.mended("preprocessing-mismatch", "x_test =")
    assert mended[0] == program.with_lines(("torch.tensor(b).float()", "torch.tensor(b).float() / 255"))


def test_a_generator_is_made_once():
    program = Program("""
        class Noisy(Dataset):
            def __init__(self, x, seed):
                self.x, self.seed = x, seed

            def __getitem__(self, k):
                rng = np.random.RandomState(self.seed)  # the same
                return self.x[k] + rng.normal()
        """)
    program.model.call_counts["train"] = 1
    mended = program.mended("repeated-augmentation", "rng = ")
    assert mended[0] == program.with_lines(
        ("= x, seed\n", "= x, seed\n        self.rng = np.random.RandomState(self.seed)\n"),
        ("rng = np.random.RandomState(self.seed)  #", "rng = self.rng  #"),
    )


def test_a_seed_in_the_loop_is_left_out():
    program = Program("for epoch in range(3):\n    torch.manual_seed(0)\n    run()  # one epoch\n")
    program.model.call_counts["train"] = 1
    assert program.mended("repeated-augmentation", "manual_seed") == [
        "for epoch in range(3):\n    run()  # one epoch\n"
    ]


def test_a_loader_shuffles():
    program = Program("loader = DataLoader(data, batch_size=8, shuffle=False)  # all\nloss = f(net(x), y)\n").called(
        "loss = f"
    )
    program.evidence.loaders.append(LoaderSeen(program.site("DataLoader("), 100, 8, "", False, 0, "TensorDataset"))
    program.evidence.loaders[0].used_for["train"] = 5
    assert program.mended("not-shuffled", "loader =") == [program.with_lines(("False", "True"))]


def test_batches_cut_by_hand_are_cut_out_of_a_permutation():
    mended = plain().mended("not-shuffled", "for i in")
    assert "        order = torch.randperm(len(X_tr))\n        for i in range(0, 800, 32):\n" in "\n".join(
        ["    " + line for line in mended[0].splitlines()]
    )
    assert "net(X_tr[order[i:i + 32]]), y_tr[order[i:i + 32]])  # mean" in mended[0]


def test_batches_of_counted_indices_are_drawn():
    program = Program("""
        for epoch in range(3):
            for b in torch.arange(80).split(8):
                loss = f(net(x[b]), y[b])
        """).called("loss = f")
    assert program.mended("not-shuffled", "for b") == [program.with_lines(("torch.arange", "torch.randperm"))]


def test_more_samples_are_taken():
    program = Program("x = x[:80]  # quick\nloss = f(net(x), y)\n").called("loss = f")
    mended = program.mended("too-few-samples", "x = x", evidence="80 different samples are trained on")
    assert mended == [program.with_lines(("80", "4000")), program.with_lines(("80", "800"))]


def test_a_mask_is_mirrored_with_its_picture():
    program = Program("""
        def item(k):
            image, mask = images[k], masks[k]
            if torch.rand(1) < 0.5:
                image = torch.flip(image, [-1])
            return image, mask
        """)
    program.model.call_counts["train"] = 1
    mended = program.mended(
        "targets-not-transformed-with-image", "image = torch.flip", evidence="a value for each pixel"
    )
    assert mended[0] == program.with_lines(
        (
            "image = torch.flip(image, [-1])\n",
            "image = torch.flip(image, [-1])\n        mask = torch.flip(mask, [-1])\n",
        )
    )
    assert "flip" not in mended[1]
    assert "return image, mask" in mended[1]


def test_blank_samples_are_left_out_of_batches():
    program = (
        Program("""
        for x, y in loader:
            loss = f(net(x), y)
        """)
        .called("loss = f")
        .loss("loss = f", "cross_entropy", {0: 1, 1: 1})
    )
    mended = program.mended("corrupt-sample", "loss = f")
    assert "    x, y = x[sound], y[sound]\n    loss = f(net(x), y)\n" in mended[0]


def test_blank_samples_are_left_out_of_indices():
    program = (
        Program("""
        for idx in torch.randperm(90).split(9):
            loss = f(net(x[idx]), y[idx])
        """)
        .called("loss = f")
        .loss("loss = f", "cross_entropy", {0: 1, 1: 1})
    )
    mended = program.mended("corrupt-sample", "loss = f")
    assert "    idx = idx[x[idx].flatten(1).amax(1) != x[idx].flatten(1).amin(1)]\n    loss = f" in mended[0]


def test_what_spoils_labels_is_left_out():
    program = (
        Program("""
        y = read()
        y[flip] = torch.randint(0, 3, (9,))
        loss = F.cross_entropy(net(x), y)
        """)
        .called("loss = F")
        .loss("loss = F", "cross_entropy", {0: 1, 1: 1})
    )
    mended = program.mended("label-noise", "y[flip]")
    assert mended[0] == program.with_lines(("y[flip] = torch.randint(0, 3, (9,))\n", ""))
    assert "cross_entropy(net(x), y, label_smoothing=0.2)" in mended[1]


def test_nothing_is_offered_where_the_script_has_no_place_for_it():
    program = Program("run()\n")
    program.model.call_counts["train"] = 1
    for fault in ("train-test-leak", "repeated-augmentation", "validation-augmented", "not-shuffled", "constant-input"):
        assert program.mended(fault, "run()") == []
