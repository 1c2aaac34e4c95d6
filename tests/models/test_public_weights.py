"""Public weights into our networks: read, mapped, made to fit, or refused as a whole."""

import hashlib
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from osler.models.public_names import PublicNetwork, published
from osler.models.public_weights import PublicStart, is_public, public_start
from osler.models.registry import create_model, list_models
from osler.models.weights_table import TORCHVISION, weights_of
from osler.structures.errors import CheckpointError, DataError, RecipeError

NAME = "resnet18"


def state(**options: object) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return dict(create_model(NAME, width=0.125, **options).state_dict())


def narrow(weights: str, **options: object) -> nn.Module:
    torch.manual_seed(2)
    return create_model(NAME, weights=weights, width=0.125, **options)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pth"
    torch.save(state(), path)
    return path


def test_a_state_dictionary_becomes_ours(file: Path) -> None:
    model = narrow(f"torchvision:{file}")
    assert all(torch.equal(v, state()[k]) for k, v in model.state_dict().items())


@pytest.mark.parametrize("wrap", [lambda s: {"state_dict": s}, lambda s: {f"module.{k}": v for k, v in s.items()}])
def test_what_a_training_script_wrapped_is_unwrapped(tmp_path: Path, wrap) -> None:
    torch.save(wrap(state()), tmp_path / "wrapped.pth")
    model = narrow(f"torchvision:{tmp_path / 'wrapped.pth'}")
    assert torch.equal(model.fc.weight, state()["fc.weight"])


def test_half_precision_safetensors_are_read(tmp_path: Path) -> None:
    halved = {k: v.half() if v.is_floating_point() else v for k, v in state().items()}
    save_file(halved, tmp_path / "half.safetensors")
    model = narrow(f"torchvision:{tmp_path / 'half.safetensors'}")
    assert model.fc.weight.dtype == torch.float32
    torch.testing.assert_close(model.fc.weight, state()["fc.weight"], rtol=1e-3, atol=1e-3)


def test_counters_that_old_files_lack_do_not_matter(tmp_path: Path) -> None:
    torch.save({k: v for k, v in state().items() if "num_batches" not in k}, tmp_path / "old.pth")
    assert torch.equal(narrow(f"torchvision:{tmp_path / 'old.pth'}").fc.weight, state()["fc.weight"])


def test_a_head_for_other_classes_starts_anew_and_nothing_else(file: Path) -> None:
    fresh = narrow("none", num_classes=7)
    model = narrow(f"torchvision:{file}", num_classes=7)
    assert torch.equal(model.fc.weight, fresh.fc.weight)
    assert torch.equal(model.layer4[1].conv2.weight, state()["layer4.1.conv2.weight"])


def test_grey_pictures_answer_as_grey_ones_in_colour(file: Path) -> None:
    grey = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    coloured, one = narrow(f"torchvision:{file}").eval(), narrow(f"torchvision:{file}", in_channels=1).eval()
    with torch.no_grad():
        torch.testing.assert_close(one(grey), coloured(grey.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-5)


def test_weights_that_do_not_fit_are_listed_and_none_is_loaded(tmp_path: Path) -> None:
    damaged = state()
    damaged["stranger"] = damaged.pop("layer1.0.conv1.weight")
    damaged["bn1.weight"] = torch.ones(3)
    torch.save(damaged, tmp_path / "other.pth")
    model = create_model(NAME, width=0.125)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    from osler.models.public_weights import load_public

    with pytest.raises(CheckpointError) as caught:
        load_public(model, public_start(f"torchvision:{tmp_path / 'other.pth'}", NAME))
    for part in ("1 missing (layer1.0.conv1.weight)", "1 unexpected (stranger)", "bn1.weight: [3]", "Nothing was"):
        assert part in str(caught.value)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


class Harm:
    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("harm"),))


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("harm.pth").write_bytes(pickle.dumps({"fc.weight": Harm()}))
    with pytest.raises(CheckpointError, match="weights_only"):
        narrow("torchvision:harm.pth")
    assert not Path("harm").exists()


@pytest.mark.parametrize(
    ("content", "sentence"), [(None, "no weights at"), (b"PK\3\4 not whole", "damaged"), ({"epoch": 3}, "no tensors")]
)
def test_a_file_that_is_none_is_a_sentence(tmp_path: Path, content: object, sentence: str) -> None:
    path = tmp_path / "some.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(CheckpointError, match=sentence):
        narrow(f"torchvision:{path}")


def test_a_network_without_public_weights_says_which_have_some() -> None:
    with pytest.raises(RecipeError, match="has no weights for convnet.*resnet18"):
        public_start("torchvision", "convnet")


def test_a_form_that_nobody_publishes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    known = PublicNetwork("torchvision", "x", NAME, {"stem": "imagenet"})
    monkeypatch.setattr("osler.models.public_weights.published", lambda: [known])
    assert public_start("torchvision", NAME, {"stem": "imagenet"}).public is known
    with pytest.raises(RecipeError, match="stem='imagenet'"):
        public_start("torchvision", NAME, {"stem": "small"})


def test_two_keys_that_would_become_one_are_refused() -> None:
    public = PublicNetwork("timm", "x", NAME, renames=((r"^a\.", "b."),))
    with pytest.raises(RecipeError, match="comes twice"):
        public.state({"a.w": torch.zeros(1), "b.w": torch.zeros(1)})


def test_offline_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path))
    with pytest.raises(DataError, match="resnet18-f37072fd.pth.*OSLER_OFFLINE"):
        create_model(NAME, weights="torchvision")


def test_what_is_in_the_cache_is_taken_if_its_checksum_fits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path))
    place = tmp_path / "weights" / "resnet18-f37072fd.pth"
    place.parent.mkdir()
    place.write_bytes(b"something else")
    with pytest.raises(DataError, match="OSLER_OFFLINE"):
        create_model(NAME, weights="torchvision")


def test_a_download_is_checked_by_the_digits_in_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path / "cache"))
    torch.save(state(), tmp_path / "plain.pth")
    digits = hashlib.sha256((tmp_path / "plain.pth").read_bytes()).hexdigest()[:8]
    good, bad = tmp_path / f"mine-{digits}.pth", tmp_path / "mine-00000000.pth"
    for path in (good, bad):
        path.write_bytes((tmp_path / "plain.pth").read_bytes())
    assert torch.equal(narrow(f"torchvision:{good.as_uri()}").fc.weight, state()["fc.weight"])
    with pytest.raises(DataError, match="is not the published file"):
        narrow(f"torchvision:{bad.as_uri()}")
    with pytest.raises(RecipeError, match="does not carry its checksum"):
        narrow(f"torchvision:{(tmp_path / 'plain.pth').as_uri()}")


def test_every_row_of_the_table_is_a_network_of_ours() -> None:
    known = {p.name: p for p in published() if p.library == "torchvision"}
    assert set(TORCHVISION) <= set(known)
    assert {known[name].network for name in TORCHVISION} <= set(list_models())
    for name, row in TORCHVISION.items():
        assert weights_of(known[name]) is row
        assert len(row.file.checksum) >= 8
        assert row.file.checksum in row.file.name
        assert 50 < row.top1 < row.top5 < 100


def test_which_words_name_public_weights() -> None:
    assert is_public("torchvision")
    assert is_public("timm:some/path.safetensors")
    assert not is_public("runs/photos-1")
    assert PublicStart(PublicNetwork("timm", "x", NAME)).published is None
