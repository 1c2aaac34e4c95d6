import os
import pickle
import random
import signal

import numpy as np
import pytest
import torch
from data_files import class_folders, picture, write_picture
from hypothesis import given
from hypothesis import strategies as st

from osler.data.arrays import ArrayDataSet
from osler.data.files import FileDataSet
from osler.data.loader import Loader
from osler.data.opening import open_data
from osler.data.person import from_person
from osler.data.randomness import SampleRandomness
from osler.data.reading import BatchReader
from osler.data.recipe import DataSection
from osler.imaging.crops import RandomResizedCrop
from osler.imaging.transform import Compose
from osler.structures.errors import DataError


def plain(sample, rng):
    return sample


def noisy(sample, rng):
    """Adds noise that depends on nothing but `rng`."""
    return sample.with_image(sample.image + rng.integers(0, 9, sample.image.shape).astype(np.uint8))


def collate(samples):
    return torch.tensor([sample.target for sample in samples])


def array_data(n=23, *, classes=3):
    images = np.zeros((n, 4, 5, 1), np.uint8) + np.arange(n, dtype=np.uint8)[:, None, None, None]
    return ArrayDataSet(images, np.arange(n) % classes)


def loader(dataset, **values):
    return Loader(
        dataset, **{"transform": plain, "collate": collate, "batch_size": 4, "seed": 7, "order": "shuffle"} | values
    )


def test_a_batch_holds_what_its_indices_say_in_channels_last_bytes():
    dataset = array_data()
    for batch in loader(dataset).epoch(0):
        assert batch.images.dtype == torch.uint8
        assert batch.images.shape[1:] == (1, 4, 5)
        assert batch.images.is_contiguous(memory_format=torch.channels_last)
        for image, target, index in zip(batch.images, batch.target, batch.indices, strict=True):
            assert (image == index).all()
            assert target == dataset.targets[index]


def contents(batches):
    return [(b.images.clone(), b.target.clone(), b.indices.clone()) for b in batches]


def assert_equal(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        for a, b in zip(one, other, strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("order", ["shuffle", "balanced", "sequential"])
def test_the_number_of_workers_changes_nothing(order):
    here, there = (loader(array_data(), transform=noisy, order=order, workers=w) for w in (0, 2))
    for epoch in (0, 1, 0):  # the processes stay between epochs
        assert_equal(contents(here.epoch(epoch)), contents(there.epoch(epoch)))
    assert_equal(contents(here.epoch(1))[2:], contents(there.epoch(1, start=2)))
    there.close()


def test_an_epoch_left_early_leaves_nothing_behind():
    here, there = (loader(array_data(), transform=noisy, workers=w) for w in (0, 2))
    next(iter(there.epoch(5)))
    assert_equal(contents(here.epoch(2)), contents(there.epoch(2)))
    there.close()


def test_reading_leaves_torchs_randomness_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    with_workers = loader(array_data(), workers=1)
    list(with_workers.epoch(0))
    with_workers.close()
    assert torch.equal(torch.rand(3), expected)


class Noise(torch.utils.data.Dataset):
    """A person's data set that draws from the global generators of torch, NumPy and Python."""

    targets = (0, 1) * 8

    def __len__(self):
        return 16

    def __getitem__(self, index):
        rows = [torch.rand(4).numpy(), np.random.random(4), np.array([random.random() for _ in range(4)])]
        return np.stack(rows).astype(np.float32)[..., None], index % 2


def noise_loader(**values):
    return loader(from_person(Noise(), DataSection(validation=0), seed=0).train, **values)


def test_a_persons_own_randomness_is_the_same_whatever_the_number_of_workers():
    here, there = (noise_loader(workers=w) for w in (0, 2))
    for epoch in (0, 1, 0):
        assert_equal(contents(here.epoch(epoch)), contents(there.epoch(epoch)))
    assert_equal(contents(here.epoch(1))[1:], contents(there.epoch(1, start=1)))
    there.close()


def rows_of(batches):
    """Each generator's share of each picture, by picture."""
    return {int(i): image.reshape(3, 4) for b in batches for i, image in zip(b.indices, b.images, strict=True)}


def test_a_persons_own_randomness_differs_by_item_epoch_and_seed():
    first, again, later, other = (rows_of(noise_loader(seed=s).epoch(e)) for s, e in ((0, 0), (0, 0), (0, 1), (1, 0)))
    for generator in range(3):
        assert len({image[generator].numpy().tobytes() for image in first.values()}) == 16
        for i in range(16):
            assert torch.equal(first[i][generator], again[i][generator])
            assert not torch.equal(first[i][generator], later[i][generator])
            assert not torch.equal(first[i][generator], other[i][generator])


def test_a_persons_own_randomness_leaves_the_trainings_alone():
    reading = noise_loader()

    def drawn(read):
        torch.manual_seed(0), np.random.seed(0), random.seed(0)
        if read:
            list(reading.epoch(0))
        return torch.rand(1).item(), np.random.random(), random.random()

    assert drawn(read=True) == drawn(read=False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_processes_of_a_job_is_the_trainings_to_answer(number):
    reading = loader(array_data(), workers=2)
    batches = reading.epoch(0)
    seen = [next(batches), next(batches)]  # one of each process
    workers = reading._processes._iterator._workers
    for worker in workers:
        os.kill(worker.pid, number)
    seen += list(batches)
    assert_equal(contents(seen), contents(loader(array_data()).epoch(0)))
    reading.close()
    assert not any(w.is_alive() for w in workers)


def test_a_second_sigterm_ends_a_worker_without_an_error():
    reading = loader(array_data(), workers=1)
    next(reading.epoch(0))
    (worker,) = reading._processes._iterator._workers
    for _ in range(50):
        os.kill(worker.pid, signal.SIGTERM)
        worker.join(0.1)
        if worker.exitcode is not None:
            break
    assert worker.exitcode == 0
    reading.close()


def test_randomness_differs_by_sample_epoch_and_seed_and_repeats():
    random = SampleRandomness(0)
    draws = {
        key: random.at(*key).random()
        for key in [(0, 0), (0, 1), (1, 0), (1, 1), (0, 0, 1), (0, 1, 1), (2**20, 3), (3, 2**20)]
    }
    assert len(set(draws.values())) == len(draws)
    assert random.at(0, 1).random() == draws[0, 1]
    assert SampleRandomness(1).at(0, 0).random() != draws[0, 0]
    assert SampleRandomness(-1).at(0, 0).random() == SampleRandomness(-1).at(0, 0).random()


@given(st.integers(0, 2**63), st.integers(0, 10**6), st.integers(0, 10**9), st.integers(0, 50))
def test_what_was_drawn_before_does_not_matter(seed, epoch, index, draws):
    random = SampleRandomness(seed)
    expected = random.at(epoch, index).integers(0, 2**31, 5).tolist()
    random.at(3, 4).random(draws)
    random.at(3, 5).integers(0, 3, draws, np.uint8)  # leaves half-used words behind
    assert random.at(epoch, index).integers(0, 2**31, 5).tolist() == expected
    assert SampleRandomness(seed).at(epoch, index).integers(0, 2**31, 5).tolist() == expected


def test_randomness_is_uniform():
    random = SampleRandomness(5)
    values = np.array([random.at(0, i).random() for i in range(2000)])
    assert abs(values.mean() - 0.5) < 0.03
    assert abs(np.corrcoef(values[1:], values[:-1])[0, 1]) < 0.07


def test_a_sample_drawn_twice_in_an_epoch_looks_different_each_time():
    dataset = ArrayDataSet(np.zeros((40, 6, 6, 1), np.uint8), (np.arange(40) == 0).astype(np.int64))
    images = [
        i
        for b in loader(dataset, order="balanced", transform=noisy).epoch(0)
        for i, t in zip(b.images, b.target, strict=True)
        if t
    ]
    assert len(images) == 20  # one picture makes half of the epoch
    assert len({image.numpy().tobytes() for image in images}) == 20


def test_samples_that_are_skipped_on_resuming_are_not_decoded():
    class Counting(ArrayDataSet):
        read = 0

        def __getitem__(self, index):
            self.read += 1
            return super().__getitem__(index)

    dataset = Counting(array_data().images, array_data().targets)
    list(loader(dataset).epoch(0, start=4))
    assert dataset.read == 23 - 16


def test_the_batch_size_can_be_changed_between_epochs():
    changing = loader(array_data())
    changing.batch_size = 2
    assert len(changing) == 11
    assert [len(b) for b in changing.epoch(0)][:2] == [2, 2]
    assert_equal(contents(changing.epoch(0)), contents(loader(array_data(), batch_size=2).epoch(0)))


def test_two_processes_share_the_global_batch():
    whole = list(loader(array_data(24), batch_size=8).epoch(1))
    halves = [list(loader(array_data(24), rank=rank, world=2).epoch(1)) for rank in (0, 1)]
    for k, batch in enumerate(whole):
        both = torch.cat([half[k].indices for half in halves])
        assert sorted(both.tolist()) == sorted(batch.indices.tolist())


def damaged_folder(root, *, good=18, bad=2):
    class_folders(root, {"a": good // 2, "b": good // 2})
    for i in range(bad):
        (root / "a" / f"bad{i}.png").write_bytes(write_picture(root / "x" / "whole.png", 99).read_bytes()[:60])
    (root / "x" / "whole.png").unlink()
    return open_data(DataSection(path=str(root), validation=0), seed=0)


@pytest.mark.parametrize("workers", [0, 2])
def test_unreadable_pictures_are_left_out_named_once_and_counted(tmp_path, workers):
    source = damaged_folder(tmp_path)
    reading = loader(source.train, workers=workers, unreadable=0.1)
    for epoch in range(2):
        batches = list(reading.epoch(epoch))
        assert sum(map(len, batches)) == 18
        assert all(len(b) == len(b.images) == len(b.target) for b in batches)
    assert sorted(s.path.rsplit("/", 1)[1] for s in reading.skipped) == ["bad0.png", "bad1.png"]
    assert all(s.path in s.reason for s in reading.skipped)
    reading.close()


@pytest.mark.parametrize("workers", [0, 1])
def test_too_many_unreadable_pictures_stop_with_the_first_named(tmp_path, workers):
    reading = loader(damaged_folder(tmp_path).train, workers=workers, unreadable=0.05)
    with pytest.raises(DataError, match=r"2 of 20 pictures cannot be read.*bad.\.png") as caught:
        list(reading.epoch(0))
    assert "Traceback" not in str(caught.value)
    reading.close()


def test_a_batch_left_empty_is_not_given(tmp_path):
    source = damaged_folder(tmp_path)
    batches = list(loader(source.train, batch_size=1, order="sequential").epoch(0))
    assert len(batches) == 18


def test_a_file_that_goes_away_is_unreadable_too(tmp_path):
    paths = [str(write_picture(tmp_path / f"{i}.png", i)) for i in range(12)]
    dataset = FileDataSet(paths, np.arange(12) % 2)
    (tmp_path / "5.png").unlink()
    reading = loader(dataset)
    assert sum(map(len, reading.epoch(0))) == 11
    assert reading.skipped[0].path == paths[5]


@pytest.mark.parametrize("workers", [0, 1])
def test_pictures_of_different_sizes_are_said(tmp_path, workers):
    paths = [str(write_picture(tmp_path / f"{i}.png", picture(i, height=9 + i % 2))) for i in range(4)]
    reading = loader(FileDataSet(paths, np.arange(4)), workers=workers)
    with pytest.raises(DataError, match=r"differ in size: .*png is .*Resize"):
        list(reading.epoch(0))
    reading.close()


def test_a_window_taken_from_the_file_is_the_one_taken_from_the_pixels(tmp_path):
    paths = [str(write_picture(tmp_path / f"{i}.png", picture(i, height=40, width=50))) for i in range(6)]
    crop = RandomResizedCrop((16, 16))
    from_files = loader(FileDataSet(paths, np.arange(6)), transform=Compose([crop, noisy]))
    from_pixels = loader(FileDataSet(paths, np.arange(6)), transform=lambda sample, rng: noisy(crop(sample, rng), rng))
    assert_equal(contents(from_files.epoch(1)), contents(from_pixels.epoch(1)))


def test_files_are_decoded_smaller_where_their_owner_says_so(tmp_path):
    path = str(write_picture(tmp_path / "x.jpg", picture(0, height=256, width=320)))
    dataset = FileDataSet([path], np.zeros(1, np.int64))
    assert dataset[0].image.shape == (256, 320, 3)
    part = dataset.select(np.arange(1))
    part.decode_size = (32, 32)
    assert part[0].image.shape == (64, 80, 3)
    assert dataset[0].image.shape == (256, 320, 3)  # the whole keeps a size of its own


def test_what_goes_to_a_spawned_process_can_be_pickled():
    reader = BatchReader(array_data(), noisy, collate, seed=7)
    again = pickle.loads(pickle.dumps(reader))
    (key, *_) = loader(array_data()).order.batches(0)
    assert torch.equal(reader[key].batch.images, again[key].batch.images)


@pytest.mark.slow
def test_spawned_processes_read_the_same():
    before = torch.multiprocessing.get_start_method()
    torch.multiprocessing.set_start_method("spawn", force=True)
    try:
        spawned = loader(array_data(), transform=noisy, workers=2)
        assert_equal(contents(loader(array_data(), transform=noisy).epoch(0)), contents(spawned.epoch(0)))
        spawned.close()
    finally:
        torch.multiprocessing.set_start_method(before, force=True)
