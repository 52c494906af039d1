"""Saved pipelines on huggingface.co: fetched at one commit, and pushed."""

from __future__ import annotations

from types import SimpleNamespace

import huggingface_hub
import pytest
from saved_pipelines import here, same

from ppgn import files, pretrained
from ppgn.pretrained import hub


@pytest.fixture
def online(folder, tmp_path, monkeypatch):
    """The saved folder as user/digits on huggingface.co; the files asked for are kept, with their revisions."""
    for name in hub.OFFLINE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PPGN_HOME", str(tmp_path / "home"))
    calls = []

    def download(repo, file, *, revision, cache_dir, local_files_only):
        calls.append((file, revision))
        path = cache_dir / "models--user--digits" / "snapshots" / "0123456789abcdef" / file
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((folder / file).read_bytes())
        return str(path)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    return calls


def test_from_huggingface_all_files_are_of_one_commit(sevens, online):
    loaded = pretrained.from_pretrained("user/digits", revision="v1")
    assert same(here(loaded), here(sevens))
    assert online[0] == ("config.json", "v1")
    assert {revision for file, revision in online if file.endswith("safetensors")} == {"0123456789abcdef"}
    assert loaded.origin["repository"] == "user/digits"
    assert loaded.origin["revision"] == "0123456789abcdef"
    assert {one.source for one in hub.cached()} == {"user/digits at 01234567"}


def test_a_file_altered_on_huggingface(online, folder):
    path = folder / "classifier.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(files.DamagedFileError, match=r"user/digits/classifier\.safetensors at .* must have sha256"):
        pretrained.from_pretrained("user/digits")


@pytest.fixture
def uploads(monkeypatch):
    """huggingface.co's side of a push: what it was asked, and the files it was given."""
    asked = {"visible": "private", "there": {}}

    class Api:
        def create_repo(self, repo, *, private, exist_ok):
            asked.update(repo=repo, private=private, exist_ok=exist_ok)

        def model_info(self, repo):
            siblings = [SimpleNamespace(rfilename=name) for name in asked["there"]]
            return SimpleNamespace(private=asked["visible"] == "private", sha="0ld", siblings=siblings)

        def hf_hub_download(self, repo, file, *, revision, local_dir):
            assert revision == "0ld"
            path = files.Path(local_dir) / file
            path.write_text(asked["there"][file])
            return str(path)

        def upload_folder(self, *, repo_id, folder_path, commit_message, delete_patterns, parent_commit):
            assert parent_commit == "0ld"
            asked.update(deleted=delete_patterns)
            config = files.read_json(files.Path(folder_path) / "config.json")
            readme = (files.Path(folder_path) / "README.md").read_text()
            asked.update(uploaded=repo_id, config=config, message=commit_message, readme=readme)
            return SimpleNamespace(oid="c0ffee")

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    for name in hub.OFFLINE:
        monkeypatch.delenv(name, raising=False)
    return asked


def test_push_uploads_a_saved_pipeline(sevens, uploads):
    assert pretrained.push(sevens, "user/digits", private=True, licence="mit", message="first") == "c0ffee"
    assert (uploads["repo"], uploads["private"], uploads["exist_ok"]) == ("user/digits", True, True)
    assert (uploads["uploaded"], uploads["message"]) == ("user/digits", "first")
    assert uploads["config"]["licence"] == "mit"
    assert 'from_pretrained("user/digits")' in uploads["readme"]
    assert "\n# digits\n" in uploads["readme"]


def test_push_replaces_the_files_of_an_earlier_pipeline_alone(sevens, folder, uploads):
    uploads["there"] = {".gitattributes": "", "README.md": "", "other.safetensors": ""}
    uploads["there"] |= {"config.json": (folder / "config.json").read_text()}
    pretrained.push(sevens, "user/digits")
    assert sorted(uploads["deleted"]) == sorted(files.read_json(folder / "config.json")["sha256"])
    uploads["there"] = {".gitattributes": ""}
    pretrained.push(sevens, "user/digits")
    assert uploads["deleted"] == []


@pytest.mark.parametrize("config", [{}, {"config.json": '{"model_type": "bert"}'}])
def test_push_leaves_the_network_of_somebody_else(sevens, uploads, config):
    uploads["there"] = {".gitattributes": "", "model.safetensors": "", **config}
    with pytest.raises(FileExistsError, match=r"must be new or hold an earlier pipeline.*model\.safetensors.*nothing"):
        pretrained.push(sevens, "user/bert")
    assert "uploaded" not in uploads


def test_offline_a_pipeline_is_told_what_to_give_instead(tmp_path, monkeypatch):
    monkeypatch.setenv("PPGN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PPGN_OFFLINE", "1")
    with pytest.raises(OSError, match="give from_pretrained a folder") as told:
        pretrained.from_pretrained("user/digits")
    assert "weights=PATH" not in str(told.value)


def test_push_does_not_publish_what_was_to_be_private(sevens, uploads):
    uploads["visible"] = "public"
    with pytest.raises(ValueError, match="user/digits must be private as asked, but it is there and public"):
        pretrained.push(sevens, "user/digits", private=True)
    assert "uploaded" not in uploads


def test_push_says_before_any_work_what_is_wrong(sevens, uploads, monkeypatch):
    with pytest.raises(ValueError, match="repo must be \"user/name\", got 'digits'"):
        pretrained.push(sevens, "digits")
    monkeypatch.setenv("PPGN_OFFLINE", "1")
    with pytest.raises(OSError, match="push to user/digits needs the network, but offline mode is set"):
        pretrained.push(sevens, "user/digits")
    assert "repo" not in uploads
