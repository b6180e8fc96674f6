"""The page's scripts, joined: a browser asks for one file, and for one more when a further view is opened.

Each request is a run of the function, and an AWS account that may run ten at a time would refuse some of seventy. The
sources are ES modules as they stand; joined, each is a function that returns what it exports. Nothing is minified:
whoever looks into the page reads the sources.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

FIRST = "app.js"
FIRST_VIEW = ("try_one.js", "try.js", FIRST)  # what the first view runs, in the order in which it may

_IMPORT = re.compile(r"^import \{ (?P<names>[\w$, ]+) \} from '\./(?P<module>[\w.]+)';$", re.MULTILINE)
_EXPORT = re.compile(r"^export (?P<what>(?:async )?(?:const|class|function\*?) (?P<name>[\w$]+))", re.MULTILINE)
_LAZY = re.compile(r"\bimport\('\./(?P<module>[\w.]+)'\)")
_LEFT = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def join(modules: Mapping[str, str], first_view: Sequence[str] = FIRST_VIEW) -> dict[str, str]:
    """Return the scripts that hold all modules, by name: the first, and one for each module that is loaded on demand.

    Args:
        modules: the sources, by file name. An import names what it takes (`import { a, b } from './x.js';`), an export
            stands before a function, a class or a constant: nothing else is understood.
        first_view: the modules that the first script is for; it holds them, all that they import, and what more than
            one of the others import, so that no module is there twice.

    Raises:
        ValueError: a module imports itself by way of others, one that is not there, or in another way.
    """
    first = list(_in_order(first_view, modules))
    on_demand = sorted({found["module"] for source in modules.values() for found in _LAZY.finditer(source)} - {*first})
    users = Counter(name for entry in on_demand for name in _in_order([entry], modules))
    first = list(_in_order([*(name for name, count in users.items() if count > 1), *first_view], modules))
    shared = ", ".join(map(_variable, first))
    scripts = {FIRST: [*(_wrapped(name, modules, first) for name in first), f"export {{ {shared} }};\n"]}
    for entry in (name for name in on_demand if name not in first):
        own = [name for name in _in_order([entry], modules) if name not in first]
        given = f"export const {{ {', '.join(_exports(modules[entry]))} }} = {_variable(entry)};\n"
        taken = f"import {{ {shared} }} from './{FIRST}';"
        scripts[entry] = [taken, *(_wrapped(name, modules, first) for name in own), given]
    return {name: "\n".join(parts) for name, parts in scripts.items()}


def _in_order(entries: Iterable[str], modules: Mapping[str, str]) -> Iterator[str]:
    """Yield the entries and what they import, each once and after all that it imports itself."""
    done: set[str] = set()

    def visit(name: str, importers: tuple[str, ...]) -> Iterator[str]:
        if name in importers:
            raise ValueError(" imports ".join([*importers, name]))
        if name not in done:
            for found in _IMPORT.finditer(_source(name, modules)):
                yield from visit(found["module"], (*importers, name))
            done.add(name)
            yield name

    for entry in entries:
        yield from visit(entry, ())


def _wrapped(name: str, modules: Mapping[str, str], first: Sequence[str]) -> str:
    """Return a module as a constant that holds what it exports."""

    def taken(found: re.Match[str]) -> str:
        return f"const {{ {found['names'].replace(' as ', ': ')} }} = {_variable(found['module'])};"

    def loaded(found: re.Match[str]) -> str:
        return f"Promise.resolve({_variable(found['module'])})" if found["module"] in first else found[0]

    source = _source(name, modules)
    body = _EXPORT.sub(r"\g<what>", _IMPORT.sub(taken, _LAZY.sub(loaded, source)))
    if left := _LEFT.search(body):
        raise ValueError(f"{name} cannot be joined with the others for {left[0]!r}")
    return f"const {_variable(name)} = (() => {{\n{body}\nreturn {{ {', '.join(_exports(source))} }};\n}})();"


def _exports(source: str) -> list[str]:
    return [found["name"] for found in _EXPORT.finditer(source)]


def _source(name: str, modules: Mapping[str, str]) -> str:
    try:
        return modules[name]
    except KeyError:
        raise ValueError(f"{name} is imported and is not there") from None


def _variable(module: str) -> str:
    return f"${module.removesuffix('.js')}"
