"""The mapping every part of a file is: only known keys, no empty values, messages that name the key."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Tag, model_validator
from pydantic_core import PydanticCustomError


def wrong(problem: str, valid: str, key: str | tuple[str, ...] = "") -> PydanticCustomError:
    """What is wrong with the value being checked, or with one key of it (or a key of that, and so on)."""
    return PydanticCustomError("ionics", "{problem}; {valid}", {"problem": problem, "valid": valid, "key": key})


class Mapping(BaseModel):
    """A mapping of the file."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        data = cls._prepare(data)
        known = keys(cls)
        if not isinstance(data, dict):
            raise wrong("a mapping is needed here", f"valid keys: {', '.join(known)}")
        unknown = [key for key in data if key not in known]
        if unknown:
            raise PydanticCustomError("unknown_keys", "unknown keys", {"unknown": unknown, "known": known})
        for key, value in data.items():
            if value is None:
                raise wrong("the value is missing", f"write a value after '{key}:' or delete the line", key)
        return data

    def quantity(self, name: str) -> Any:
        """The value of a field as it was read."""
        return getattr(self, name)

    @classmethod
    def _prepare(cls, data: Any) -> Any:
        """Another way of writing it, turned into the mapping."""
        return data


def keys(model: type[Mapping]) -> list[str]:
    """The keys a mapping may have, as written."""
    return [field.alias or name for name, field in model.model_fields.items()]


def or_word(words: tuple[str, ...], model: type[Mapping]) -> Any:
    """One of these words, or a mapping; anything else is judged as the mapping, whose message names both."""
    options = Annotated[Literal[words], Tag("word")] | Annotated[model, Tag("mapping")]
    return Annotated[options, Discriminator(lambda data: "word" if data in words else "mapping")]
