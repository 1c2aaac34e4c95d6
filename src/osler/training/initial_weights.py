"""How the weights of a new network start: as the network has them, by a way that the recipe names, on training pictures."""

from collections.abc import Callable

from torch import Tensor, nn

from osler.models.data_initialisation import NeedsData
from osler.models.recipe import ModelSection
from osler.nn.initialisation import fill_weights, fit_to_pictures, needs_pictures
from osler.structures.errors import RecipeError

PICTURES = 2_000  # on which first weights are measured, unless the network says how many it wants


def start_weights(model: nn.Module, section: ModelSection, pictures: Callable[[int], Tensor]) -> list[str]:
    """Starts a new network's weights in place; returns what a person should know.

    A named initialisation comes first, then what the network measures on pictures itself, then what the named one
    measures: so pretraining goes on from the named start, and unit variance is that of the network as it will train.

    Args:
        model: the network, on its device.
        section: of the recipe, its weights settled.
        pictures: gives standardised training pictures on that device, at most so many.

    Raises:
        UnknownNameError: no initialisation has that name; the message offers the nearest.
        RecipeError: an option is unknown or impossible, or an initialisation is asked for weights that are read.
    """
    name, options = section.initialisation, section.initialisation_options
    if name == "auto" and options:
        raise RecipeError(
            "model.initialisation_options are for a named initialisation: set model.initialisation as well."
        )
    if section.weights != "none":
        if name != "auto":
            raise RecipeError(
                f"model.initialisation={name} would overwrite model.weights={section.weights}. Leave one of them out."
            )
        return []
    notes = [] if name == "auto" else fill_weights(model, name, options=options)
    if isinstance(model, NeedsData):
        model.initialise_from_data(pictures(getattr(model, "initialisation_pictures", PICTURES)))
        notes += [str(log) for log in getattr(model, "pretraining", ())]
    if needs_pictures(name):
        notes += fit_to_pictures(model, name, pictures(PICTURES), options=options)
    return notes
