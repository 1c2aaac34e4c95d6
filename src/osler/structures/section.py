"""A section of a recipe: a frozen pydantic model that is declared beside its owner."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Frozen, strict about keys: what a recipe does not know, it refuses.

    Every field has a default and a `description`; constraints are declared in the annotation (`Annotated[float, Ge(0)]`), so
    that the error names the key, the value given and what is allowed. Numbers are finite.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, protected_namespaces=(), allow_inf_nan=False
    )
