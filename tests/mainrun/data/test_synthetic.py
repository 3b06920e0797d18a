import hashlib
import re
import statistics
from collections import Counter

import pytest

from mainrun.data.synthetic import generate_headlines

NUM_TITLES = 100_000
FIRST_1000_SHA256 = "ea663abdaf4c1251e567947cff4d8eda9dffaaee309e00c41a4f17263c4339ad"


@pytest.fixture(scope="module")
def titles() -> list[str]:
    return generate_headlines(NUM_TITLES)


def test_a_hundred_thousand_titles_are_all_distinct(titles: list[str]) -> None:
    assert len(titles) == NUM_TITLES
    assert len(set(titles)) == NUM_TITLES


@pytest.mark.parametrize("num_titles", [0, 1, 12_000])
def test_the_first_titles_do_not_depend_on_how_many_are_asked_for(titles: list[str], num_titles: int) -> None:
    assert generate_headlines(num_titles) == titles[:num_titles]


def test_the_first_thousand_titles_are_the_same_bytes_everywhere(titles: list[str]) -> None:
    digest = hashlib.sha256()
    for title in titles[:1000]:
        digest.update(title.encode() + b"\0")
    assert digest.hexdigest() == FIRST_1000_SHA256


def test_another_seed_gives_other_titles(titles: list[str]) -> None:
    others = generate_headlines(1000, seed=1338)
    assert len(set(others) - set(titles[:1000])) > 950


def test_every_title_is_one_stripped_printable_line(titles: list[str]) -> None:
    faulty = [title for title in titles if not title or title != title.strip() or not title.isprintable()]
    assert faulty == []


def test_no_slot_is_left_unfilled_and_no_word_is_missing(titles: list[str]) -> None:
    assert [title for title in titles if re.search(r"[{}]|  | [,:?]|--", title)] == []


def test_a_title_begins_with_a_capital_or_a_numeral(titles: list[str]) -> None:
    beginnings = (title.lstrip("'")[0] for title in titles if not title.startswith(("eBPF", "'eBPF")))
    assert all(character.isupper() or character.isdigit() for character in beginnings)


def test_a_title_has_about_50_characters(titles: list[str]) -> None:
    assert 47 <= statistics.mean(map(len, titles)) <= 53
    assert max(map(len, titles)) <= 120


def test_about_one_title_in_twenty_asks_and_one_in_twelve_shows(titles: list[str]) -> None:
    asks = [title for title in titles if title.startswith("Ask HN: ")]
    shows = [title for title in titles if title.startswith("Show HN: ")]
    assert 0.04 <= len(asks) / NUM_TITLES <= 0.06
    assert 0.07 <= len(shows) / NUM_TITLES <= 0.09
    assert all(title.endswith("?") for title in asks)


def test_some_titles_hold_characters_outside_ascii(titles: list[str]) -> None:
    assert 0.05 <= sum(not title.isascii() for title in titles) / NUM_TITLES <= 0.15
    assert any("é" in title for title in titles)


def test_the_article_fits_the_word_behind_it(titles: list[str]) -> None:
    spoken_with_a = r"one-|user|unit|unik|unix|url|usb|udp"
    spoken_with_an = r"8-bit|honest|fpga|html|http|led|llm|lsm|mcu|mri|mvp|rpc|rss|ssa|ssd|ssh|xml"
    wrong_a = re.compile(rf"\ba (?!{spoken_with_a})(?:[aeiou]|{spoken_with_an})", re.IGNORECASE)
    wrong_an = re.compile(rf"\ban (?:{spoken_with_a}|(?!{spoken_with_an})[^aeiou])", re.IGNORECASE)
    assert [title for title in titles if wrong_a.search(title) or wrong_an.search(title)] == []


def test_words_are_as_unequal_in_frequency_as_in_natural_text(titles: list[str]) -> None:
    counts = sorted(Counter(word for title in titles[:12_000] for word in title.split()).values(), reverse=True)
    assert counts[0] >= 500 * statistics.median(counts)
    assert sum(counts[:100]) / sum(counts) <= 0.6  # the rest is a long tail
    assert sum(count == 1 for count in counts) / len(counts) >= 0.3


def test_the_first_word_of_a_list_is_drawn_many_times_as_often_as_the_last(titles: list[str]) -> None:
    num_first, num_last = (sum(noun in title.lower() for title in titles) for noun in ("compiler", "iterator"))
    assert 8 * num_last <= num_first <= 30 * num_last


def test_words_of_one_title_mostly_share_their_topic(titles: list[str]) -> None:
    about_rockets = [title.lower() for title in titles if "rocket" in title.lower()]
    about_compilers = [title.lower() for title in titles if "compiler" in title.lower()]
    assert len(about_rockets) > 500
    share_with_reusable = [
        sum("reusable" in title for title in group) / len(group) for group in (about_rockets, about_compilers)
    ]
    assert share_with_reusable[0] > 10 * share_with_reusable[1]
