"""Skill: the weather and the time by function calls, for whoever offers such functions."""

from __future__ import annotations

import json
import random

from training.world.exchange import Exchange, ToolOffer, ToolUse
from training.world.numbers import spoken
from training.world.phrasing import phrase
from training.world.words import CITIES

_WEATHER = ToolOffer("get_weather", "location")
_TIME = ToolOffer("get_time")
_OTHERS = (
    ToolOffer("send_email", "text"), ToolOffer("set_timer", "minutes"), ToolOffer("play_music", "title"),
    ToolOffer("search", "query"), ToolOffer("end_call"), ToolOffer("open_door", "room"),
)  # fmt: skip
_ASK_WEATHER = (
    "how is the weather in {a}", "what is the weather in {a}", "what is the weather like in {a}",
    "is it raining in {a}", "tell me the weather in {a}", "is it cold in {a}", "is it sunny in {a}",
    "will it rain in {a}",
)  # fmt: skip
_ASK_TIME = ("what time is it", "what is the time", "tell me the time", "can you tell me the time")
CONDITIONS = ("sunny", "cloudy", "rainy", "windy", "foggy", "snowy", "clear", "stormy", "warm", "cold", "hot")


def clock(hour: int, minute: int) -> str:
    """`10, 5` to `ten oh five`."""
    if minute == 0:
        return f"{spoken(hour)} o'clock"
    return f"{spoken(hour)} {'oh ' if minute < 10 else ''}{spoken(minute)}"


def offer(rng: random.Random) -> tuple[ToolOffer, ...]:
    """Some functions: the weather and the time more often than not, and now and then another."""
    tools = []
    if rng.random() < 0.75:
        tools.append(_WEATHER)
    if rng.random() < 0.6:
        tools.append(_TIME)
    if rng.random() < 0.4 or not tools:
        tools.append(rng.choice(_OTHERS))
    rng.shuffle(tools)
    return tuple(tools)


def with_tools(rng: random.Random, held_out: bool, tools: tuple[ToolOffer, ...]) -> Exchange:
    """A question that one of `tools` answers, or a word of regret where none does."""
    if rng.random() < 0.35:
        user = phrase(rng, _ASK_TIME, held_out=held_out)
        for tool in tools:
            if "time" in tool.name and "timer" not in tool.name:
                return _time(rng, user, tool)
        return Exchange("tools", user, "I have no clock here.")
    city = rng.choice(CITIES)
    user = phrase(rng, _ASK_WEATHER, held_out=held_out).format(a=city.lower())
    for tool in tools:
        if "weather" in tool.name:
            return _weather(rng, user, tool, city)
    return Exchange("tools", user, "I cannot see the weather from here.")


def _time(rng: random.Random, user: str, tool: ToolOffer) -> Exchange:
    hour, minute = rng.randrange(24), rng.choice((0, 5, 10, 15, 30, 45, rng.randrange(60)))
    written = f"{hour:02d}:{minute:02d}" if rng.random() < 0.7 else f"{hour}:{minute:02d}"
    output = rng.choice((written, json.dumps({"time": written})))
    return Exchange("tools", user, f"It is {clock(hour, minute)}.", use=ToolUse(tool.name, {}, output))


def _weather(rng: random.Random, user: str, tool: ToolOffer, city: str) -> Exchange:
    condition, degrees = rng.choice(CONDITIONS), rng.randint(0, 40)
    answer = f"It is {condition} in {city}, {spoken(degrees)} degrees."
    key = rng.choice(("condition", "weather", "description", "forecast"))
    outputs: list[object] = [
        {"temperature": degrees, key: condition},
        {key: condition, "temperature": degrees},
        {"city": city, key: condition, "temperature": degrees},
        {tool.parameter: city, "temperature": degrees, key: condition},
        f"{condition}, {degrees} degrees",
        condition,
        {key: condition},
    ]
    output = rng.choice(outputs)
    written = output if isinstance(output, str) else json.dumps(output)
    if str(degrees) not in written:
        answer = f"It is {condition} in {city}."
    return Exchange("tools", user, answer, use=ToolUse(tool.name, {tool.parameter: city}, written))
