"""Wrong values of settings raise an error with field, value and range."""

from __future__ import annotations

import pytest

from workbench.engine.errors import SettingsError
from workbench.engine.files.places import home
from workbench.engine.settings import LoadSettings, SynthesisSettings

BAD = {
    "nan": ({"speed": float("nan")}, "speed is nan, out of its range. Choose between 0.3 and 3 x."),
    "inf": ({"cfg_strength": float("inf")}, "cfg_strength is inf, out of its range. Choose between 0 and 10."),
    "400 digits": ({"nfe_step": 10**400 - 1}, "nfe_step is a whole number of about 400 digits, out of its range. "
                                                 "Choose between 1 and 128 steps."),
    "400 digits for a float": ({"speed": 10**400 - 1}, "speed is a whole number of about 400 digits, out of its range. "
                                                   "Choose between 0.3 and 3 x."),
    "5,000 digits": ({"seed": -(10**5000)}, "seed is a whole number of about 5,000 digits, out of its range. "
                                            "Choose between 0 and 2,147,483,647."),
    "just too large": ({"seed": 2**31}, "seed is 2147483648, out of its range. Choose between 0 and 2,147,483,647."),
    "text for a number": ({"nfe_step": "32"}, "nfe_step is '32', not a whole number. Choose between 1 and 128 steps."),
    "a fraction": ({"nfe_step": 1.5}, "nfe_step is 1.5, not a whole number. Choose between 1 and 128 steps."),
    "a truth for a number": ({"speed": True}, "speed is True, not a number. Choose between 0.3 and 3 x."),
    "a list": ({"use_epss": []}, "use_epss is a list, not true or false. Use the empirically pruned"),
    "nothing": ({"nfe_step": None}, "nfe_step is missing"),
    "unknown choice": ({"ode_method": "dopri5"}, "ode_method is 'dopri5', which is unknown. Choose one of euler"),
    "a table for a text": ({"ode_method": {}}, "ode_method is a dict, not a text. Choose one of euler, midpoint, rk4."),
    "a long text": ({"ode_method": "x" * 10**6}, "(1,000,000 characters), which is unknown."),
    "an escape sequence": ({"ode_method": "\x1b[2J"}, r"ode_method is '\x1b[2J', which"),
    "unknown name": ({"temperature": 1}, "There is no setting 'temperature'. Known: nfe_step"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_every_bad_value_is_named_with_its_range(case):
    values, expected = BAD[case]
    with pytest.raises(SettingsError) as found:
        SynthesisSettings().replace(**values)
    assert expected in str(found.value)
    assert len(str(found.value)) < 600


@pytest.mark.parametrize("value", [3, None, "bf17", float("nan")])
def test_loading_has_the_same_checks(value):
    with pytest.raises(SettingsError, match="dtype"):
        LoadSettings().replace(dtype=value)


def test_a_home_of_nobody_is_a_mistake_not_a_crash(monkeypatch):
    monkeypatch.setenv("WORKBENCH_HOME", "~nobody-of-this-name")
    with pytest.raises(SettingsError, match="WORKBENCH_HOME"):
        home()
