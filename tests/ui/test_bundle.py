"""What the bundle is made of."""

import ast
import json

import reflex as rx

from structforge.config import Settings
from structforge.ui import bundle
from structforge.ui.bundle import SOURCE, bundle_is_current, bundle_key, bundle_path


def test_the_lock_names_no_address_and_every_package_has_a_hash() -> None:
    lock = json.loads((SOURCE / "reflex.lock" / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert len(packages) > 50
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert [name for name, package in packages.items() if "integrity" not in package] == []


def test_the_key_names_the_sources_and_nothing_of_the_machine(empty_settings: Settings) -> None:
    assert bundle_key() == bundle_key()
    assert bundle_path(empty_settings).name == f"bundle-{bundle_key()}"
    assert not bundle_is_current(empty_settings)


def test_server_side_modules_need_no_new_bundle() -> None:
    names = {path.name for path in bundle._sources()}
    assert "structforge.css" in names and "live.jsx" in names and "runs.py" in names
    assert names.isdisjoint({"edge.py", "web_process.py", "server.py"})


def test_a_build_that_fails_tells_the_reason_and_not_npms_chatter() -> None:
    log = "\n".join(
        [
            "npm http fetch GET 200 x",
            "npm error code ENOTFOUND",
            "npm silly placeDep x",
            "npm verbose cwd y",
            "",
        ]
    )
    assert bundle._what_matters(log) == "npm error code ENOTFOUND"


def _of_radix(name: str) -> bool:
    made = getattr(rx, name)
    return "radix" in str(getattr(getattr(made, "__self__", made), "__module__", ""))


def test_no_page_uses_a_component_that_brings_a_design_of_its_own() -> None:
    """One of Radix's themes is enough for 600 kB of style sheets, which change the size and colour of everything."""
    assert _of_radix("link") and not _of_radix("cond")
    used = {
        (path.name, node.attr)
        for path in (SOURCE / "structforge" / "ui").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "rx"
    }
    assert len(used) > 100
    assert {place for place in used if _of_radix(place[1])} == set()
