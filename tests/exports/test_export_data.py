"""GET POST /me/export_data/, what is in the ZIP, and what becomes of it."""

import json
import resource
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zipfile import ZipFile

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from makerlog.accounts.models import Maker
from makerlog.api.exceptions import DiskFull
from makerlog.exports import actions, packing, sections
from makerlog.exports.models import GIVEN_UP, KEPT, Export
from makerlog.exports.purges import purge_exports
from makerlog.exports.storage import SignedStorage, admits
from makerlog.jobs.models import Job
from tasks.models import Task
from tests.accounts.test_me import picture
from tests.errors import assert_error
from tests.jobs.queue import run_jobs
from tests.makers import Caller, caller, just_logged_in
from tests.s3 import running_bucket

pytestmark = pytest.mark.django_db
URL = "/me/export_data/"
READS = ["tasks:read", "products:read", "projects:read", "discussions:read", "user:read"]


def posts(client: Caller) -> dict[str, Any]:
    """One of each; what the export must say of it."""
    bob = caller("bob")
    task = client.post("/tasks/", {"content": "Ship #honey", "done": True}).json()
    client.patch(f"/tasks/{task['id']}/", {"attachment": picture()}, format="multipart")
    bobs = bob.post("/tasks/", {"content": "bob's own"}).json()["id"]
    client.post(f"/tasks/{bobs}/comments/", {"content": "Well done"})
    client.post(f"/tasks/{bobs}/praise/")
    client.post("/users/bob/follow/")
    client.post("/products/", {"name": "Honey", "team": [bob.maker.pk], "projects": [task["project_set"][0]["id"]]})
    [invitation] = bob.get("/me/invitations/").json()
    bob.post(f"/me/invitations/{invitation['id']}/accept/")
    talk = client.post("/discussions/", {"title": "On honey", "body": "Sweet"}).json()["slug"]
    reply = bob.post(f"/discussions/{talk}/replies/", {"body": "bob's words"}).json()["id"]
    client.post(f"/discussions/{talk}/replies/", {"body": "Indeed"})
    client.post(f"/discussions/{talk}/replies/{reply}/praise/")
    return {"task": task["id"], "bobs": bobs, "reply": reply, "project": task["project_set"][0]["id"]}


def unpacked(root: Path) -> dict[str, bytes]:
    """Every file of every part. No two have one name."""
    found: dict[str, bytes] = {}
    for path in sorted(root.glob("*.zip")):
        with ZipFile(path) as archive:
            assert archive.testzip() is None
            assert not found.keys() & {*archive.namelist()}
            found |= {name: archive.read(name) for name in archive.namelist()}
    return found


def rows(files: dict[str, bytes], section: str) -> list[dict[str, Any]]:
    """Those of all parts."""
    names = [name for name in files if name.removesuffix(".json").rstrip("-0123456789") == section]
    return [row for name in names for row in json.loads(files[name])]


def exported(client: Caller, root: Path) -> dict[str, bytes]:
    assert client.get(URL).status_code == 202
    run_jobs()
    return unpacked(root)


def test_an_export_holds_all_that_is_ones_own(exports_root: Path) -> None:
    alice = just_logged_in()
    made, text = posts(alice), "bob's words"
    files = exported(alice, exports_root)
    assert {name.removesuffix(".json") for name in files if name.endswith(".json")} == {
        section.name for section in sections.SECTIONS
    }
    [profile], [token] = rows(files, "profile"), rows(files, "tokens")
    assert (profile["username"], profile["email"]) == ("alice", "alice@example.com")
    assert token["public_id"] in alice.token
    [task], [product], [place] = rows(files, "tasks"), rows(files, "products"), rows(files, "teams")
    assert (task["content"], task["project_ids"], task["posted_from"]) == (
        "Ship #honey",
        [made["project"]],
        "127.0.0.1",
    )
    assert files[task["attachment"]] == Path(default_storage.path(task["attachment"])).read_bytes()
    assert (product["name"], product["team_ids"], product["project_ids"]) == (
        "Honey",
        [Maker.objects.get(username="bob").pk],
        [made["project"]],
    )
    assert (place["slug"], place["owner"]) == ("honey", True)
    assert [row["username"] for row in rows(files, "following")] == ["bob"]
    assert [row["name"] for row in rows(files, "projects")] == ["honey"]
    assert [(row["task_id"], row["content"]) for row in rows(files, "task_comments")] == [(made["bobs"], "Well done")]
    assert [row["task_id"] for row in rows(files, "task_praise")] == [made["bobs"]]
    assert [row["done"] for row in rows(files, "days")] == [1]
    assert [row["title"] for row in rows(files, "discussions")] == ["On honey"]
    assert [row["body"] for row in rows(files, "replies")] == ["Indeed"]
    assert [row["reply_id"] for row in rows(files, "reply_praise")] == [made["reply"]]
    everything = b"".join(files.values())
    assert text.encode() not in everything
    assert alice.token.encode() not in everything
    assert alice.maker.tokens.get().digest.hex().encode() not in everything


def test_it_is_under_way_then_ready_with_links_that_only_we_make(exports_root: Path, time_machine: Any) -> None:
    time_machine.move_to("2026-11-22 12:00Z", tick=False)
    alice = just_logged_in()
    begun = alice.get(URL)
    assert (begun.status_code, begun.json()["state"], begun.json()["links"]) == (202, "under_way", [])
    assert [alice.get(URL).status_code, alice.post(URL).status_code] == [202, 202]
    assert (Export.objects.count(), Job.objects.count()) == (1, 1)
    run_jobs()
    ready = alice.get(URL)
    assert (ready.status_code, ready.json()["state"], ready.json()["whole"]) == (200, "ready", True)
    assert ready["Cache-Control"] == "no-store"
    [link] = ready.json()["links"]
    name, token = urlsplit(link).path.removeprefix("/exports/"), parse_qs(urlsplit(link).query)["token"][0]
    assert (exports_root / name).is_file()
    assert [admits(name, token), admits("other-1.zip", token), admits(name, ""), admits(name, token + "x")] == [
        True,
        False,
        False,
        False,
    ]
    time_machine.shift(3601)
    assert not admits(name, token)
    alice = just_logged_in()
    assert alice.get(URL).json()["links"] != [link]


def test_a_maker_with_much_gets_it_in_parts_each_row_and_upload_once(
    exports_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, moment = just_logged_in(), timezone.now()
    for number in range(60):
        alice.post("/tasks/", {"content": f"Task {number}", "description": "words " * 30})
    with_image = Task.objects.order_by("pk")[7]
    alice.patch(f"/tasks/{with_image.pk}/", {"attachment": picture()}, format="multipart")
    Task.objects.update(updated_at=moment)  # many at one moment: the key goes on within it
    caller("bob").post("/tasks/", {"content": "bob's own"})
    monkeypatch.setattr(packing, "PART_BYTES", 4_000)
    monkeypatch.setattr(sections, "AT_ONCE", 7)
    files = exported(alice, exports_root)
    assert Export.objects.get().parts == len(alice.get(URL).json()["links"]) > 5
    assert sorted(row["id"] for row in rows(files, "tasks")) == sorted(
        Task.objects.filter(author=alice.maker).values_list("pk", flat=True)
    )
    assert len([name for name in files if name.startswith("attachments/")]) == 1
    assert len(rows(files, "profile")) == 1


def test_what_is_too_large_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    alice = just_logged_in()
    monkeypatch.setattr(packing, "PART_BYTES", 1)
    monkeypatch.setattr(actions, "MOST_PARTS", 2)
    alice.get(URL)
    run_jobs()
    body = alice.get(URL).json()
    assert (body["state"], body["whole"], len(body["links"])) == ("ready", False, 2)


def test_a_job_that_runs_twice_or_died_half_way_does_no_harm(exports_root: Path) -> None:
    alice = just_logged_in()
    alice.get(URL)
    export = Export.objects.get()
    exports_root.mkdir()
    (exports_root / export.part(1)).write_bytes(b"half a part")
    actions.pack_part.call(export.pk)
    first = unpacked(exports_root)
    actions.pack_part.call(export.pk)
    assert not actions.note_part(export, "tasks", None)
    assert unpacked(exports_root) == first
    assert Export.objects.get().parts == 1


def test_a_new_one_takes_the_place_of_the_old(exports_root: Path, django_capture_on_commit_callbacks: Any) -> None:
    alice = just_logged_in()
    exported(alice, exports_root)
    [old] = exports_root.iterdir()
    with django_capture_on_commit_callbacks(execute=True):
        assert alice.post(URL).status_code == 202
    run_jobs()
    [new] = exports_root.iterdir()
    assert new != old
    Export.objects.update(asked_at=timezone.now() - GIVEN_UP, finished_at=None)
    with django_capture_on_commit_callbacks(execute=True):
        assert alice.get(URL).status_code == 202  # one that never came to its end is given up
    assert list(exports_root.iterdir()) == []


def test_it_goes_after_three_days(exports_root: Path) -> None:
    alice = just_logged_in()
    exported(alice, exports_root)
    assert purge_exports() == 0
    Export.objects.update(asked_at=timezone.now() - KEPT - timedelta(seconds=1))
    assert purge_exports() == 1
    assert (list(exports_root.iterdir()), Export.objects.count()) == ([], 0)


def test_it_goes_with_the_account(exports_root: Path, django_capture_on_commit_callbacks: Any) -> None:
    alice = just_logged_in()
    exported(alice, exports_root)
    with django_capture_on_commit_callbacks(execute=True):
        alice.post(URL)  # a job is to come
    (exports_root / Export.objects.get().part(1)).write_bytes(b"of a job that died")
    with django_capture_on_commit_callbacks(execute=True):
        assert alice.post("/accounts/delete_account/", {"validation": "alice"}).status_code == 200
    run_jobs()
    assert (list(exports_root.glob("*")), Export.objects.count()) == ([], 0)


class LeavesMeanwhile(SignedStorage):
    """Its maker deletes the account while a part is being stored."""

    def _save(self, name: str, content: Any) -> str:
        saved = super()._save(name, content)
        Maker.objects.all().delete()
        return saved


def test_what_a_job_stores_for_a_maker_who_has_just_gone_goes_as_well(exports_root: Path, settings: Any) -> None:
    kept = settings.STORAGES["exports"]
    settings.STORAGES = {**settings.STORAGES, "exports": {**kept, "BACKEND": f"{__name__}.LeavesMeanwhile"}}
    just_logged_in().get(URL)
    assert run_jobs() == 1
    assert list(exports_root.iterdir()) == []


@pytest.mark.parametrize("method", ["get", "post"])
def test_only_a_token_that_may_read_everything_gets_it(method: str) -> None:
    assert_error(getattr(Caller(), method)(URL), 401, "not_authenticated")
    assert getattr(just_logged_in(), method)(URL).status_code == 202
    for lacking in READS:
        poor = caller("bob", [scope for scope in READS if scope != lacking])
        assert_error(getattr(poor, method)(URL), 403, "missing_scope")


def test_whoever_may_only_read_may_take_their_own_along() -> None:
    alice = just_logged_in(suspended="read_only")
    assert_error(alice.post("/tasks/", {"content": "x"}), 403, "suspended")
    assert alice.get(URL).status_code == 202


def test_three_at_once_and_no_more() -> None:
    alice = just_logged_in()
    for _ in range(3):
        assert alice.post(URL).status_code == 202
        run_jobs()
    assert_error(alice.post(URL), 429, "throttled")
    assert alice.get(URL).status_code == 200


def test_in_a_private_bucket_links_are_signed_by_it(settings: Any) -> None:
    with running_bucket() as bucket:
        options = {"bucket_name": "private", "endpoint_url": bucket.settings["MEDIA_S3_ENDPOINT"]}
        keys = {"access_key": "key", "secret_key": "secret", "region_name": "us-east-1", "querystring_expire": 3600}
        settings.STORAGES = {
            **settings.STORAGES,
            "exports": {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": {**options, **keys}},
        }
        alice = just_logged_in()
        alice.get(URL)
        run_jobs()
        [link] = alice.get(URL).json()["links"]
        assert [f"/private/{Export.objects.get().part(1)}"] == [*bucket.kept] == [urlsplit(link).path]
        assert {"Signature", "Expires"} <= {*parse_qs(urlsplit(link).query)}


def test_a_disk_that_is_full_half_way_through_an_export_keeps_no_half(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100 * 1024, before[1]))
    try:
        with pytest.raises(DiskFull):
            SignedStorage(location=tmp_path).save("part.zip", ContentFile(bytes(200 * 1024)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.rglob("*.zip")) == []
