import pytest

from harness.plan.arm_syntax import ArmRequest, expand_sweep, name_arms, parse_arm
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
    arms = name_arms([*map(parse_arm, ["baseline", "baseline", "baseline-2=optimized", "baseline"])])
    assert [arm.name for arm in arms] == ["baseline", "baseline-3", "baseline-2", "baseline-4"]


def test_a_given_name_stands_once() -> None:
    with pytest.raises(RequestError, match="Two arms are called 'a'"):
        name_arms([*map(parse_arm, ["a=baseline", "a=optimized"])])


def test_a_sweep_of_several_keys_is_every_combination_and_one_value_is_for_all() -> None:
    assert expand_sweep("fast=optimized@main:lr=1,2,dropout=0.1,batch_size=8,16") == [
        parse_arm(f"fast-lr-{rate}-batch_size-{size}=optimized@main:lr={rate},dropout=0.1,batch_size={size}")
        for rate in (1, 2)
        for size in (8, 16)
    ]


@pytest.mark.parametrize("revision", ["main", "origin/main", "a=b"])
def test_a_sweep_of_a_revision_without_a_name_is_of_that_revision(revision: str) -> None:
    arms = expand_sweep(f"optimized@{revision}:lr=1,2")
    assert [(arm.recipe, arm.revision, arm.settings) for arm in arms] == [
        ("optimized", revision, {"lr": "1"}),
        ("optimized", revision, {"lr": "2"}),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimized", "no ':' between an arm and its keys"),
        ("lr=1,2", "no ':' between an arm and its keys"),
        ("optimized:", "no value of a key"),
        ("optimized:1,2", "no value of a key"),
        ("optimized:lr=1", "varies nothing"),
        ("optimized:lr=1,1", "the value 1 of 'lr' twice"),
        ("optimized:lr=1,,2", "'' is no value"),
        ("optimized:lr=1,2,lr=3", "no new key"),
        ("optimized:=1,2", "no new key"),
        (":lr=1,2", "names no recipe"),
        ("optimized:order=a/b,c", "would call an arm 'optimized-order-a/b', which is no name"),
        ("optimized:order=a:b,c", "would call an arm 'optimized-order-a:b', which is no name"),
        ("optimized:a=b=1,2", "would call an arm 'optimized-a=b-1', which is no name"),
        ("optimized:order=a,b\nc", "would call an arm 'optimized-order-b.*c', which is no name"),
        (f"optimized:lr={','.join(map(str, range(101)))}", "101 arms; 100 are the most"),
    ],
)
def test_a_sweep_of_another_form_is_refused(text: str, message: str) -> None:
    with pytest.raises(RequestError, match=message) as refused:
        expand_sweep(text)
    assert "\n" not in str(refused.value)
