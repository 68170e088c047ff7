"""A shop: products for kitchen and garden teach those for the workshop. Interest fades in weeks."""

from __future__ import annotations

from consumers.simulator.scenarios.scenario import Scenario
from consumers.simulator.vocabulary import Theme, Vocabulary


def _theme(name: str, styles: str, extras: str) -> Theme:
    return Theme(name, {"style": styles, "extra": extras})


_TEMPLATES = (
    "{brand} {style1} {%s}, {extra2}",
    "{style1} {%s}, {extra2}",
    "{brand} {%s}: {style1}, {extra2}",
    "{style2} {style1} {%s}",
)
WORDS = Vocabulary(
    (
        _theme(
            "minimal",
            "Matte Black | Plain White | Slimline | Frameless",
            "no visible screws | one colour, one line | hides in a drawer",
        ),
        _theme(
            "vintage",
            "Enamel | Retro | Brass | Heirloom",
            "1950s design | hand-finished brass | ages beautifully",
        ),
        _theme(
            "sustainable",
            "Bamboo | Recycled | Organic | Solar",
            "plastic-free packaging | made from ocean plastic | repairable for 20 years",
        ),
        _theme(
            "heavy duty",
            "Industrial | Cast-Iron | Professional | Extra-Strong",
            "for daily trade use | rated for 500 kg | lifetime warranty",
        ),
        _theme(
            "family",
            "Child-Safe | Family-Size | Colourful | Easy-Grip",
            "with child lock | rounded edges | set of six for small hands",
        ),
        _theme(
            "luxury",
            "Marble | Walnut | Designer | Hand-Forged",
            "numbered edition | in a gift box | leather trim",
        ),
        _theme(
            "compact",
            "Foldable | Pocket | Stackable | Travel",
            "fits in a backpack | folds flat | under 300 g",
        ),
        _theme(
            "smart",
            "App-Controlled | Wi-Fi | Voice-Ready | Self-Timing",
            "with phone app | learns your routine | updates itself",
        ),
    ),
    {name: tuple(template % name for template in _TEMPLATES) for name in ("kitchen", "garden", "workshop")},
    {
        "brand": "Nordhem | Altona | Kestrel | Brightwell | Ferro & Sons | Oakline",
        "kitchen": "Kettle | Chef's Knife | Toaster | Espresso Maker | Spice Rack | Mixing Bowl | Scale | Frying Pan",
        "garden": "Watering Can | Bird Feeder | Pruning Shears | Lantern | Hammock | Planter | Rake | Sprinkler",
        "workshop": "Cordless Drill | Workbench | Toolbox | Work Light | Spirit Level | Hand Saw | Sander | Shelf",
    },
)
SHOP = Scenario(
    "shop",
    ("kitchen", "garden"),
    "workshop",
    "looked at or rated",
    90.0,
    {"kitchen": 30.0, "garden": 20.0, "workshop": 30.0},
    WORDS,
    ("kitchen", "garden", "workshop"),
)
