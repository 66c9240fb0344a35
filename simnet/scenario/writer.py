"""A `Scenario` as the text of a file, from which `load` makes an equal one, places apart.

What a file has besides its story is no part of the value, and is not written: comments, empty lines
between steps, the notation of a number that is computed. Nothing of the value is left out or
changed: what no file can say is `Unwritable`. Whether the story makes sense is for `load` to say.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from simnet.scenario import expressions, patterns
from simnet.scenario.course import sim_only
from simnet.scenario.expressions import Expression
from simnet.scenario.layout import Bare, Unwritable, dashed, entries, paragraph
from simnet.scenario.model import Blocks, Pattern, Raises, Returns, Scenario, Step, UserProgram
from simnet.scenario.parser import COMPLETES
from simnet.scenario.places import Mistake, Place
from simnet.scenario.setting import (
    Crash,
    Drop,
    Event,
    Happening,
    Heal,
    Hold,
    HostPlan,
    LinkPlan,
    Links,
    NamePlan,
    Names,
    Partition,
    Release,
    Restart,
    Setting,
    Wait,
)
from simnet.scenario.setting_reader import DEFAULT
from simnet.scenario.values import to_plain

# Whole numbers from here on have their digits in groups.
_GROUPED = 10_000
# Whole floats below this are written without a point.
_WHOLE = 1e15

Parts = dict[str, Any]


def write(scenario: Scenario) -> str:
    """The text of a file that tells this story."""
    sections = [_head(scenario)]
    if scenario.program is None:
        sections += [_cast(scenario), _steps(scenario)]
    else:
        sections += _with_program(scenario, scenario.program)
    return "\n".join("".join(f"{line}\n" for line in section) for section in sections if section)


def _head(scenario: Scenario) -> list[str]:
    if scenario.shows != " ".join(scenario.shows.split()) or not scenario.shows:
        raise Unwritable(f"'shows' is words with single blanks, not {scenario.shows!r}")
    lines = entries({"name": _said(scenario.name, "the name")})
    lines += paragraph("shows:", scenario.shows)
    reason = _reason(scenario)
    if reason is not None:
        lines += entries({"sim only": _said(reason, "the reason of 'sim only'")})
    return lines


def _reason(scenario: Scenario) -> str | None:
    """What somebody gave as the reason why a simulator is needed, besides what is plain to see."""
    given = scenario.sim_only
    seen = sim_only(None, scenario.setting, scenario.steps, scenario.program)
    reasons = [word for word in given if word not in seen] or list(given[:1])
    reason = reasons[0] if reasons and given != seen else None
    if sim_only(reason, scenario.setting, scenario.steps, scenario.program) != given:
        expected = f"what course.sim_only() gives: {', '.join(seen) or 'nothing'}"
        text = f"expected {expected}, after one reason at most"
        raise Unwritable(f"sim_only is {', '.join(given) or 'nothing'}: {text}")
    return reason


def _cast(scenario: Scenario) -> list[str]:
    setting = scenario.setting
    if setting is None:
        return entries({"actors": [_said(actor, "an actor") for actor in scenario.actors]})
    if not setting.hosts:
        raise Unwritable("a story on no hosts is about a program")
    return _hosts(scenario, setting, _seed(setting))


def _seed(setting: Setting) -> Parts:
    return {"seed": setting.seed} if setting.seed != 0 else {}


def _hosts(scenario: Scenario, setting: Setting, seed: Parts) -> list[str]:
    of_hosts = tuple(actor for host in setting.hosts for actor in host.actors)
    if scenario.actors != of_hosts:
        raise Unwritable(f"the actors {scenario.actors} are not those of the hosts: {of_hosts}")
    parts: Parts = {}
    if setting.hosts:
        parts["hosts"] = _by_name((host.name, _host(host)) for host in setting.hosts)
    if setting.links:
        parts["links"] = _links(setting.links)
    if setting.names:
        parts["names"] = _names(setting.names)
    parts |= seed
    if setting.unknown is not None:
        parts["unknown addresses"] = _said(setting.unknown, "what is said of unknown addresses")
    return entries(parts, opened=True)


def _said(text: str, what: str) -> Bare:
    """A text that is read without the blanks around it."""
    if not text or text != text.strip():
        raise Unwritable(f"{what} neither is empty nor has blanks around it, unlike {text!r}")
    return Bare(text)


def _by_name(pairs: Iterable[tuple[str, Any]]) -> Parts:
    parts: Parts = {}
    for name, part in pairs:
        if name in parts:
            raise Unwritable(f"'{name}' stands twice in one place")
        parts[name] = part
    return parts


def _number(value: float) -> Bare:
    """A number that is read as an expression."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _WHOLE:
        value = int(value)
    return Bare(f"{value:_}" if isinstance(value, int) and value >= _GROUPED else repr(value))


def _numbers(values: Mapping[str, float]) -> Parts:
    return {name: _number(value) for name, value in values.items()}


# A program instead of actors


def _with_program(scenario: Scenario, program: UserProgram) -> Iterator[list[str]]:
    """The sections of a story about a program; what was decided may be long, and comes last."""
    setting = scenario.setting
    if setting is None:
        raise Unwritable("a story about a program has a setting, on no hosts if need be")
    parts: Parts = {"program": _said(program.target, "the name of a program")}
    if program.arguments:
        parts["with"] = {name: to_plain(part, name) for name, part in program.arguments.items()}
    yield entries(parts)
    yield _hosts(scenario, setting, {})
    yield _steps(scenario) if scenario.steps else []
    yield _decided(program, _seed(setting))


def _decided(program: UserProgram, parts: Parts) -> list[str]:
    if program.policy is not None:
        parts["policy"] = _said(program.policy, "a policy")
    if program.nasty:
        parts["nasty"] = [_said(family, "a family of nastiness") for family in program.nasty]
    lines = entries(parts)
    if program.decisions is not None:
        lines += entries({"decisions": program.decisions}, opened=True)
    if program.found is not None:
        lines += entries({"found": _said(program.found, "how it failed")})
    return lines


# Where it takes place


def _ips(ips: tuple[str, ...]) -> Any:
    words = [_said(ip, "an address") for ip in ips]
    return words[0] if len(words) == 1 else words


def _host(host: HostPlan) -> Parts:
    parts: Parts = {"ip": _ips(host.ips)}
    if host.actors != (host.name,):
        parts["actors"] = [_said(actor, "an actor") for actor in host.actors]
    if host.clock_offset:
        parts["clock offset"] = _number(host.clock_offset)
    if host.clock_drift:
        parts["clock drift"] = _number(host.clock_drift)
    if host.limits:
        parts["limits"] = _numbers(host.limits)
    return parts


def _links(plans: tuple[LinkPlan, ...]) -> Parts:
    return _by_name((str(plan.way or DEFAULT), _numbers(plan.conditions)) for plan in plans)


def _names(plans: tuple[NamePlan, ...]) -> Parts:
    return _by_name((plan.name, _name(plan)) for plan in plans)


def _name(plan: NamePlan) -> Parts:
    parts: Parts = {}
    if plan.ips:
        parts["ip"] = _ips(plan.ips)
    if plan.fails is not None:
        parts["fails"] = _said(plan.fails, "how a name fails")
    if plan.delay:
        parts["delay"] = _number(plan.delay)
    return parts


# What happens


def _steps(scenario: Scenario) -> list[str]:
    if not scenario.steps:
        raise Unwritable("a story has steps, or it is none")
    lines = ["steps:"]
    for step in scenario.steps:
        is_event = isinstance(step, Happening)
        parts = _happening(step) if isinstance(step, Happening) else _step(step)
        lines += dashed(entries(parts, "    ", opened=is_event), "  ")
    return lines


def _happening(happening: Happening) -> Parts:
    parts = _event(happening.event)
    for word in ("after", "at"):
        seconds = getattr(happening, word)
        if seconds is not None:
            parts[word] = _number(seconds)
    return parts


def _event(event: Event) -> Parts:
    match event:
        case Partition(way):
            return {"partition": Bare(str(way))}
        case Heal(way):
            return {"heal": Bare(str(way))}
        case Hold(way):
            return {"hold": Bare(str(way))}
        case Release(way):
            return {"release": Bare(str(way))}
        case Crash(host):
            return {"crash": Bare(host)}
        case Restart(host):
            return {"restart": Bare(host)}
        case Wait(seconds):
            return {"wait": _number(seconds)}
        case Links(changes):
            return {"links": _links(changes)}
        case Names(changes):
            return {"names": _names(changes)}
        case Drop(source, target, packets, count):
            parts: Parts = {"drop": Bare(f"{source} -> {target}"), "packets": Bare(packets)}
            return parts if count == 1 else {**parts, "count": _number(count)}


def _step(step: Step) -> Parts:
    parts: Parts = {step.actor: _said(_text(step), f"what '{step.actor}' does")}
    if step.names:
        parts["as"] = [_said(name, "a name") for name in step.names]
    elif step.name is not None:
        parts["as"] = _said(step.name, "a name")
    match step.expect:
        case Returns(None):
            pass
        case Returns(pattern):
            parts["returns"] = _pattern(pattern)
        case Raises(name):
            parts["raises"] = _said(name, "the name of an error")
        case Blocks():
            parts["blocks"] = True
    if step.takes is not None:
        parts["takes"] = _pattern(step.takes)
    return parts


def _text(step: Step) -> str:
    """The call as the step has it in words, which must be the call that is made."""
    said, made = step.text, COMPLETES if step.call is None else str(step.call)
    if said and _meaning(said) != _meaning(made):
        raise Unwritable(f"the step says '{said}' but does '{made}'")
    return said or made


def _meaning(text: str) -> str:
    parsed = expressions.parse(text, Place(""))
    return text if isinstance(parsed, Mistake) else ast.dump(parsed.tree)


def _pattern(pattern: Pattern | None) -> Any:
    match pattern:
        case patterns.Exactly(None | bool() | int() | float() | str() as value):
            return value
        case patterns.Items(items):
            return [_pattern(item) for item in items]
        case patterns.Is(expression):
            return {"is": _expression(expression)}
        case patterns.Sized(low=Expression() as low, high=Expression() as high, of_bytes=True):
            if str(low) == str(high):
                return {"bytes": _expression(low)}
        case patterns.Sized(low=Expression() as low, high=Expression() as high):
            return {"between": [_expression(low), _expression(high)]}
        case patterns.Sized(low=Expression() as low, high=None, of_bytes=False):
            return {"at least": _expression(low)}
        case patterns.Sized(low=None, high=Expression() as high, of_bytes=False):
            return {"at most": _expression(high)}
        case patterns.StartsWith(text):
            return {"starts with": text}
        case patterns.Contains(item):
            return {"contains": _pattern(item)}
        case patterns.Not(other):
            return {"not": _pattern(other)}
        case patterns.Any_(kind):
            return {"any": _said(kind, "a kind of values")}
    raise Unwritable(f"a file has no words for {pattern!r}")


def _expression(expression: Expression) -> Bare:
    return _said(str(expression), "an expression")
