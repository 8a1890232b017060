"""Options of a command that are declared once, as the fields of a frozen dataclass.

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Options:
        limit: Annotated[int | None, typer.Option(help="...")] = None
        names: Annotated[tuple[str, ...], typer.Option(help="..."), parse_names] = ()

    @takes_options
    def command(options: Options, *, json_output: Json = False) -> None: ...

A field that is a dataclass itself contributes its own options. Its metadata may give all of them a prefix, and leave
some out by their fields' names: `field(..., metadata={"prefix": "judge_"})` makes --seed to --judge-seed, `{"without":
("price_in",)}` has no --price-in. A function beside the option (`parse_names`) turns what is given on the command line,
of its parameter's type, into the field's value. Fields without an option keep their default.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from typer.models import ArgumentInfo, OptionInfo

R = TypeVar("R")


def takes_options(command: Callable[..., R]) -> Callable[..., R]:
    """Give Typer a command whose parameters are the options that its dataclasses declare, beside its own."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    own = [
        parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(command).parameters.items()
        if name not in groups
    ]

    @functools.wraps(command)
    def wrapped(**given: Any) -> R:
        built = {name: _build(group, given) for name, group in groups.items()}
        return command(**built, **{parameter.name: given[parameter.name] for parameter in own})

    parameters = [parameter for group in groups.values() for parameter in _parameters(group)] + own
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wrapped


def _parameters(group: Any, *, prefix: str = "", without: tuple[str, ...] = ()) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for field in fields(group):
        hint = hints[field.name]
        if field.name in without:
            continue
        if is_dataclass(hint):
            left_out = (*without, *field.metadata.get("without", ()))
            yield from _parameters(hint, prefix=prefix + field.metadata.get("prefix", ""), without=left_out)
        elif (option := _of_kind(hint, (OptionInfo, ArgumentInfo))) is not None:
            kind, default = _given(field, hint)
            yield inspect.Parameter(
                prefix + field.name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=Annotated[kind, _under(prefix, option)],
                default=default,
            )


def _under(prefix: str, option: Any) -> Any:
    """The option with the prefix before the names that it gives itself, of which Typer keeps the first as a default."""
    given = (option.default, *(option.param_decls or ()))
    if not prefix or not isinstance(option.default, str):
        return option
    named = copy(option)
    named.default, *rest = (f"--{prefix.replace('_', '-')}{name.removeprefix('--')}" for name in given)
    named.param_decls = tuple(rest)
    return named


def _given(field: Field[Any], hint: Any) -> tuple[Any, Any]:
    """(type on the command line, default there)."""
    default = inspect.Parameter.empty if field.default is MISSING else field.default
    parse = _of_kind(hint, Callable)
    if parse is None:
        return get_args(hint)[0], default
    (parameter,) = inspect.signature(parse, eval_str=True).parameters.values()
    if parameter.default is not inspect.Parameter.empty:
        return parameter.annotation, parameter.default
    return parameter.annotation, ",".join(default) if isinstance(default, tuple) and default else None


def _build(group: Any, given: Mapping[str, Any], *, prefix: str = "") -> Any:
    hints = get_type_hints(group, include_extras=True)
    values: dict[str, Any] = {}
    for field in fields(group):
        hint, name = hints[field.name], prefix + field.name
        if is_dataclass(hint):
            values[field.name] = _build(hint, given, prefix=prefix + field.metadata.get("prefix", ""))
        elif name in given:
            parse = _of_kind(hint, Callable)
            values[field.name] = given[name] if parse is None else parse(given[name])
    return group(**values)


def _of_kind(hint: Any, kinds: Any) -> Any:
    """The first of an annotation's metadata that is of these kinds, or None."""
    metadata = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    if kinds is Callable:
        return next((item for item in metadata if inspect.isfunction(item)), None)
    return next((item for item in metadata if isinstance(item, kinds)), None)
