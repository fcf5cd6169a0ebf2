"""What a hashtag is, and that a task of a private project is nobody else's, however its name is written."""

from unicodedata import normalize

import pytest

from products.models import Project
from tasks.hashtags import project_names
from tasks.models import Task
from tests.makers import Caller, anonymous, caller

HINDI = "हिन्दी"


@pytest.fixture
def alice(db: None) -> Caller:
    return caller("alice")


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (f"x #{HINDI}", [HINDI]),
        ("ตั้ง #ก่อนเที่ยง แล้ว", ["ก่อนเที่ยง"]),
        ("#עִבְרִית", ["עִבְרִית"]),
        ("#می\u200cخواهم!", ["می\u200cخواهم"]),
        ("#ශ්\u200dරී ලංකා", ["ශ්\u200dරී"]),
        (normalize("NFD", "#한국 #café"), ["한국", "café"]),
        ("＃日本語タグ、#二つ目。", ["日本語タグ", "二つ目"]),
        ("#İstanbul #istanbul #ISTANBUL", ["İstanbul"]),
        ("#Straße #STRASSE", ["Straße"]),
        ("#ΛΌΓΟΣ #λόγος", ["ΛΌΓΟΣ"]),
        ("#maker\u00adlog #maker\u2060log", ["makerlog"]),
        ("#my-app, #my_app.", ["my-app", "my_app"]),
        ("🚀#ship ❤️#love (#a) [#b] “#c”", ["ship", "love", "a", "b", "c"]),
        ("#foo\u200b #bar\u200d", ["foo", "bar"]),
        ("#\ufe0f\u20e3 #1\ufe0f\u20e3 #👩\u200d💻 # ## #_", []),
        ("#42 #४२ #４２", []),
        ("https://example.com/?q=#foo see example.com/#foo", []),
        ("example.com/a?b=c,#foo www.example.com,#foo http://localhost:8000/x,#foo", []),
        ("foo@#bar a#b &#39; a/#b a=#b ##c", []),
        ("उदाहरण.भारत/x,#foo", []),
        ("Done. #foo it.#bar e.g.,#c https://example.com #after", ["foo", "bar", "c", "after"]),
        ("#" + "a" * 50, ["a" * 50]),
        ("#" + "a" * 51, []),
        ("#" + "é" * 50, ["é" * 50]),
        (normalize("NFD", "#" + "é" * 50), ["é" * 50]),
    ],
)
def test_a_hashtag_takes_letters_marks_digits_and_joiners_and_is_no_part_of_an_address(
    content: str, names: list[str]
) -> None:
    assert project_names(content) == names


@pytest.mark.parametrize(
    ("name", "written"),
    [
        (HINDI, HINDI),
        ("café", normalize("NFD", "café")),
        (normalize("NFD", "한국"), "한국"),
        ("Istanbul", "İSTANBUL"),
        ("ısparta", "ISPARTA"),
        ("straße", "STRASSE"),
        ("λόγος", "ΛΌΓΟΣ"),
        ("makerlog", "maker\u00adlog"),
        ("makerlog", "ｍａｋｅｒｌｏｇ"),
        ("میخواهم", "می\u200cخواهم"),
    ],
)
def test_my_task_in_a_private_project_is_private_however_its_name_is_written(
    alice: Caller, name: str, written: str
) -> None:
    assert alice.post("/projects/", {"name": name, "private": True}).status_code == 201
    task = alice.post("/tasks/", {"content": f"x #{written}"}, format="json").json()
    assert [each["private"] for each in task["project_set"]] == [True]
    assert anonymous().get(f"/tasks/{task['id']}/").status_code == 404
    assert Project.objects.count() == 1


def test_a_task_with_two_spellings_of_one_name_is_filed_once_and_a_batch_goes_on(alice: Caller) -> None:
    assert alice.post("/tasks/", {"content": "x #İstanbul #istanbul"}, format="json").status_code == 201
    said = alice.post("/tasks/batch/", [{"content": "a #İZMİR #izmir"}, {"content": "b"}], format="json").json()
    assert [each["status"] for each in said] == [201, 201]
    assert sorted(Project.objects.values_list("name", flat=True)) == ["İZMİR", "İstanbul"]


def test_what_i_write_apart_is_kept_and_found_in_one_spelling(alice: Caller) -> None:
    task = alice.post("/tasks/", {"content": normalize("NFD", "Pâtisserie")}, format="json").json()
    assert task["content"] == normalize("NFC", "Pâtisserie")
    found = alice.get("/tasks/", {"search": normalize("NFD", "pâtis")}).json()["results"]
    assert [each["id"] for each in found] == [task["id"]]


def test_a_project_that_is_renamed_is_found_by_its_new_name_alone(alice: Caller) -> None:
    project = alice.post("/projects/", {"name": "old"}).json()
    assert alice.patch(f"/projects/{project['id']}/", {"name": "NÉW"}).status_code == 200
    alice.post("/tasks/", {"content": "x #néw #old"}, format="json")
    assert sorted(Task.objects.get().projects.values_list("name", flat=True)) == ["NÉW", "old"]
