import hashlib
import io
import tarfile

import pytest
from data_files import cifar_binary, idx_folder

from osler.data.known import KNOWN, KnownSet, known_names, read_known, read_remote, unpack
from osler.structures.download import RemoteFile, cache_folder, fetch
from osler.structures.errors import DataError


def remote(path, algorithm="md5"):
    return RemoteFile(path.as_uri(), hashlib.new(algorithm, path.read_bytes()).hexdigest(), algorithm)


def test_a_set_of_idx_files_is_fetched_checked_and_read(tmp_path):
    served = idx_folder(tmp_path / "served", zipped=True)
    known = KnownSet(tuple(remote(f) for f in sorted(served.iterdir())), ("even", "odd"))
    parts = read_remote("toy", known, tmp_path / "cache")
    assert (parts.name, parts.names, len(parts.train), len(parts.test)) == ("toy", ("even", "odd"), 20, 6)
    for file in served.iterdir():  # the second time nothing is asked of the network
        file.unlink()
    assert len(read_remote("toy", known, tmp_path / "cache").train) == 20


def test_a_cifar_archive_is_fetched_unpacked_and_read(tmp_path):
    cifar_binary(tmp_path / "cifar-10-batches-bin")
    archive = tmp_path / "cifar.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "cifar-10-batches-bin", "cifar-10-batches-bin")
    known = KnownSet((remote(archive, "sha256"),))
    parts = read_remote("cifar10", known, tmp_path / "cache")
    assert (len(parts.train), len(parts.test)) == (20, 10)
    archive.unlink()
    assert len(read_remote("cifar10", known, tmp_path / "cache").train) == 20


def test_another_content_is_refused_and_not_kept(tmp_path):
    served = tmp_path / "file.gz"
    served.write_bytes(b"something")
    file = RemoteFile(served.as_uri(), "0" * 32)
    with pytest.raises(DataError, match="not the published file"):
        fetch(file, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_damaged_file_in_the_cache_is_fetched_again(tmp_path):
    served, cache = tmp_path / "file.gz", tmp_path / "cache"
    served.write_bytes(b"something")
    cache.mkdir()
    (cache / "file.gz").write_bytes(b"some")
    assert fetch(remote(served), cache).read_bytes() == b"something"


def test_without_a_network_the_sentence_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match="could not be downloaded") as caught:
        fetch(RemoteFile((tmp_path / "absent.gz").as_uri(), "0" * 32), tmp_path / "cache")
    assert str(tmp_path / "cache" / "absent.gz") in str(caught.value)


def test_a_cache_that_cannot_be_written_is_a_sentence(tmp_path):
    served = tmp_path / "file.gz"
    served.write_bytes(b"something")
    (tmp_path / "cache").write_bytes(b"a file where the folder should be")
    with pytest.raises(DataError, match="broke off"):
        fetch(remote(served), tmp_path / "cache")


def test_an_archive_takes_nothing_outside_its_folder(tmp_path):
    archive = tmp_path / "evil.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in (
            "../outside.bin",
            "/tmp/absolute.bin",
            "cifar-10-batches-bin/../../outside.bin",
            "cifar-10-batches-bin/good.bin",
        ):
            member = tarfile.TarInfo(name)
            member.size = 3
            tar.addfile(member, io.BytesIO(b"abc"))
        link = tarfile.TarInfo("cifar-10-batches-bin/link.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    unpack(archive, tmp_path / "cache")
    assert [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.bin")] == [
        "cache/cifar-10-batches-bin/good.bin"
    ]


def test_a_cut_archive_is_a_sentence(tmp_path):
    archive = tmp_path / "cut.tar.gz"
    archive.write_bytes(b"\x1f\x8b" + b"\0" * 30)
    with pytest.raises(DataError, match="damaged"):
        unpack(archive, tmp_path)


def test_the_cache_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("OSLER_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("OSLER_CACHE")
    assert cache_folder().parts[-2:] == (".cache", "osler")


def test_an_unknown_name_offers_the_nearest():
    with pytest.raises(DataError, match="'fashion-mnist'"):
        read_known("fashionmnist")
    assert known_names() == ["cifar10", "cifar100", "digits", "digits-in-the-wild", "fashion-mnist", "mnist"]


def test_fashion_mnist_has_the_checksums_that_are_declared(shared):
    for file in KNOWN["fashion-mnist"].files:
        content = (shared / "data" / "fashion-mnist" / file.name).read_bytes()
        assert hashlib.md5(content).hexdigest() == file.checksum
