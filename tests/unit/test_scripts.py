"""Joining the page's scripts: which file holds what, in which order, and what cannot be joined."""

import re

import pytest
from console.scripts import join

PAGE = {
    "app.js": "import { shout as cry } from './words.js';\nconst views = [() => import('./view.js'),\n"
    "() => import('./first.js'), () => import('./other.js')];\n",
    "first.js": "import { shout } from './words.js';\nexport const title = shout('x');\n",
    "words.js": "export function shout(text) { return text; }\nexport async function wait() {}\n"
    "export class Word {}\nexport function* each() {}\nconst own = 1;\n",
    "view.js": "import { Word, wait } from './words.js';\nimport { line } from './chart.js';\n"
    "import { axis } from './axis.js';\nexport const it = line;\nexport function open() {}\n",
    "other.js": "import { axis } from './axis.js';\nexport const it = axis;\n",
    "chart.js": "export const line = 'chart';\n",
    "axis.js": "export const axis = 'axis';\n",
}
FIRST_VIEW = ("first.js", "app.js")


def modules_of(script: str) -> list[str]:
    return re.findall(r"^const \$(\w+) = \(\(\) => \{$", script, re.MULTILINE)


def test_each_module_stands_once_after_what_it_imports() -> None:
    scripts = join(PAGE, FIRST_VIEW)
    assert {name: modules_of(script) for name, script in scripts.items()} == {
        "app.js": ["axis", "words", "first", "app"],  # axis: both of the others import it
        "other.js": ["other"],
        "view.js": ["chart", "view"],
    }


def test_a_module_takes_and_gives_what_it_names() -> None:
    first = join(PAGE, FIRST_VIEW)["app.js"]
    assert "const { shout: cry } = $words;" in first
    assert "return { shout, wait, Word, each };" in first
    assert not re.search(r"^import|^export (?!\{)", first, re.MULTILINE)


def test_a_further_script_takes_the_modules_of_the_first_and_gives_what_its_view_does() -> None:
    scripts = join(PAGE, FIRST_VIEW)
    assert scripts["app.js"].endswith("export { $axis, $words, $first, $app };\n")
    assert scripts["view.js"].startswith("import { $axis, $words, $first, $app } from './app.js';\n")
    assert scripts["view.js"].endswith("export const { it, open } = $view;\n")


def test_what_is_loaded_on_demand_comes_from_where_it_is() -> None:
    first = join(PAGE, FIRST_VIEW)["app.js"]
    assert "() => import('./view.js')" in first
    assert "() => Promise.resolve($first)" in first


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import { it } from './view.js';\n", "view.js imports chart.js imports view.js"),
        ("import { it } from './gone.js';\n", "gone.js is imported and is not there"),
        ("const it = () => import('./gone.js');\n", "gone.js is imported and is not there"),
        ("import it from './words.js';\n", "chart.js cannot be joined"),
        ("import * as it from './words.js';\n", "chart.js cannot be joined"),
        ("export default 1;\n", "chart.js cannot be joined"),
        ("export let it = 1;\n", "chart.js cannot be joined"),
        ("export { it };\n", "chart.js cannot be joined"),
    ],
)
def test_what_cannot_be_joined_is_refused_by_name(source: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        join({**PAGE, "chart.js": source}, FIRST_VIEW)
