import pytest

from harness.plan.arm_syntax import ArmRequest, name_arms, parse_arm
from mainrun.record.errors import RequestError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("baseline", ArmRequest("baseline", "baseline")),
        ("optimized@main", ArmRequest("optimized@main", "optimized", revision="main")),
        ("optimized@HEAD~3", ArmRequest("optimized@HEAD~3", "optimized", revision="HEAD~3")),
        ("optimized@origin/main", ArmRequest("optimized@origin-main", "optimized", revision="origin/main")),
        ("optimized@main@{1}", ArmRequest("optimized@main@{1}", "optimized", revision="main@{1}")),
        ("optimized@a=b", ArmRequest("optimized@a=b", "optimized", revision="a=b")),
        ("old=optimized", ArmRequest("old", "optimized", is_named=True)),
        ("optimized:lr=1e-3", ArmRequest("optimized", "optimized", {"lr": "1e-3"})),
        ("a=b@v1.2:c=1,d=x=y", ArmRequest("a", "b", {"c": "1", "d": "x=y"}, "v1.2", True)),
        ("optimized:data=C:x", ArmRequest("optimized", "optimized", {"data": "C:x"})),
    ],
)
def test_an_arm_is_read_as_it_is_typed(text: str, expected: ArmRequest) -> None:
    assert parse_arm(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=a",
        "a=",
        "a=b=c",
        "../x=a",
        ".x=a",
        "a@",
        "a@-f",
        "@main",
        "a/b",
        "a:",
        "a:b",
        "a:=1",
        "a:b=1,",
        "a:b=1,b=2",
        "a\nmet  x=b",
        "a\r=b",
        "a\x1b[2K=b",
        "a\u2028=b",
        "a@main\n",
    ],
)
def test_a_text_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match=r"^The arm '") as refused:
        parse_arm(text)
    assert not {"\n", "\r", "\x1b"} & set(str(refused.value))


def test_a_name_that_was_not_given_is_numbered_and_never_takes_a_given_one() -> None:
    arms = name_arms(["baseline", "baseline", "baseline-2=optimized", "baseline"], {})
    assert [arm.name for arm in arms] == ["baseline", "baseline-3", "baseline-2", "baseline-4"]


def test_a_given_name_stands_once() -> None:
    with pytest.raises(RequestError, match="Two arms are called 'a'"):
        name_arms(["a=baseline", "a=optimized"], {})


def test_settings_of_the_arm_and_of_set_are_joined_and_none_is_given_twice() -> None:
    [arm] = name_arms(["baseline:a=1"], {"baseline": {"b": "2"}})
    assert arm.settings == {"a": "1", "b": "2"}
    with pytest.raises(RequestError, match="'a' of baseline is given by the arm and by --set"):
        name_arms(["baseline:a=1"], {"baseline": {"a": "2"}})


def test_set_of_an_arm_that_is_not_compared_is_refused() -> None:
    with pytest.raises(RequestError, match="--set names the arm 'absent'"):
        name_arms(["baseline"], {"absent": {"a": "1"}})
