from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.core.mistakes import ConfigErrors
from zoo.core.yaml import Node, load, parse


def told(path: Path) -> list[str]:
    with pytest.raises(ConfigErrors) as errors:
        load(path)
    return str(errors.value).replace(f"{path.parent}/", "").splitlines()


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("abc -:#0'é😀\n") | st.floats(-1e300, 1e300),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3)
    ),
)


@settings(deadline=None, max_examples=40)
@given(st.dictionaries(st.text("xyz", min_size=1), plain))
def test_reads_what_pyyaml_writes(value: dict[str, object]) -> None:
    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return True

    assert parse(yaml.dump(value, Dumper=Dumper, allow_unicode=True), "f").plain() == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1e9", 1e9),
        (".5", 0.5),
        ("-7", -7),
        ("012", 12),
        ("no", "no"),
        ("on", "on"),
        ("'1'", "1"),
        ("true", True),
        ("~", None),
        ("", None),
        ("2020-01-02", "2020-01-02"),
        ("1:30", "1:30"),
        ("nan", "nan"),
        (".inf", ".inf"),
        ("1_000", "1_000"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    found = parse(f"a: {text}", "f").plain()["a"]
    assert found == value and type(found) is type(value)


def test_every_key_knows_its_line() -> None:
    node = parse("a: 1\n\nb:\n  - x: 2\n    y: 3\n  -\n    x: 4\n", "f.yaml")
    assert node.children["b"].line == 3
    first, second = node.items("b")
    assert (first.line, first.children["y"].line, second.children["x"].line) == (4, 5, 7)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("a: 1\n\tb: 2\n", "f.yaml:2: not valid YAML: found character '\\t' that cannot start any token"),
        ("a: [1,\nb: 2\n", "f.yaml:3: not valid YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3: a: duplicate key (first on line 1)"),
        ("a:\n  b: 1\n  'b': 2\n", "f.yaml:3: a.b: duplicate key (first on line 2)"),
        ("a: &x [1]\nb: *x\n", "f.yaml:2: b: aliases are not supported (share with `base:`)"),
        ("a: &x\n  b: *x\n", "f.yaml:2: a.b: aliases are not supported (share with `base:`)"),
        (
            "a: !!python/name:os.system\n",
            "f.yaml:1: a: tags are not supported, found '!!python/name:os.system'",
        ),
        ("a: 1\n[1, 2]: 3\n", "f.yaml:2: expected a name as the key, found a list or mapping"),
        ("- 1\n", "f.yaml:1: expected a mapping, found a list"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2: not valid YAML: but found another document"),
        ("a: 1e999\n", "f.yaml:1: a: number out of range: 1e999"),
        ("a: " + "9" * 5000, "f.yaml:1: a: number out of range: " + "9" * 20),
        ("a: " + "[" * 2000, "f.yaml: not valid YAML: nested too deeply"),
        (
            "a: 1\nb: \x01",
            "f.yaml:2: not valid YAML: unacceptable character #x0001: special characters are not allowed",
        ),
    ],
)
def test_what_is_no_config_is_one_line_with_its_place(tmp_path: Path, text: str, mistake: str) -> None:
    found = told(write(tmp_path / "f.yaml", text))
    assert [line.replace("tag:yaml.org,2002:", "!!") for line in found] == [mistake]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_bytes(b"a: \xff\xfe")
    assert told(tmp_path / "f.yaml") == ["f.yaml: not a text file in UTF-8"]
    assert told(tmp_path / "g.yaml") == ["g.yaml: no such file (did you mean 'f.yaml'?)"]
    assert load(write(tmp_path / "empty.yaml", "# nothing\n")).plain() == {}


def test_all_duplicates_are_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "f.yaml", "a: 1\na: 2\nb: {c: 1, c: 2}\n")
    assert told(path) == [
        "f.yaml:2: a: duplicate key (first on line 1)",
        "f.yaml:3: b.c: duplicate key (first on line 3)",
    ]


def test_base_lies_under_the_file_and_keeps_its_places(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    base = write(tmp_path / "b.yaml", "fit:\n  lr: 1\n  batch_size: 2\nlist: [1, 2]\n")
    node = load(write(tmp_path / "sub" / "f.yaml", "base: ../b.yaml\nfit:\n  lr: 3\nlist: [4]\n"))
    assert node.plain() == {"fit": {"lr": 3, "batch_size": 2}, "list": [4]}
    fit = node.children["fit"].children
    assert (fit["lr"].file, fit["lr"].line) == (str(tmp_path / "sub" / "f.yaml"), 3)
    assert (fit["batch_size"].file, fit["batch_size"].line) == (str(base), 3)


def test_a_base_has_no_base(tmp_path: Path) -> None:
    write(tmp_path / "b.yaml", "x: 1\nbase: c.yaml\n")
    path = write(tmp_path / "f.yaml", "base: b.yaml\n")
    assert told(path) == ["b.yaml:2: base: a base may not have a base (this is one of f.yaml)"]
    assert told(write(tmp_path / "g.yaml", "base: bb.yaml\n")) == [
        "g.yaml:1: base: no such file: bb.yaml (did you mean 'b.yaml'?)"
    ]
    assert told(write(tmp_path / "h.yaml", "x: 1\nbase: 3\n")) == [
        "h.yaml:2: base: expected a relative path, found 3"
    ]


def deep(old: object, new: object) -> object:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return {
        key: deep(old[key], new[key]) if key in old and key in new else {**old, **new}[key]
        for key in old | new
    }


@given(plain, plain)
def test_merging_is_deep_for_mappings_only(old: object, new: object) -> None:
    a, b = Node.of({"k": old}, "f"), Node.of({"k": new}, "f")
    assert a.merged(b).plain() == {"k": deep(old, new)}
    assert a.merged(a) == a and a.plain() == {"k": old}
