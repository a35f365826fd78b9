"""Hardware files: sources, and all faults of a file at once."""

from __future__ import annotations

import pytest

from neuroglia_snn.catalog import files, hardware
from neuroglia_snn.errors import CatalogError, ModelError


def chip(tmp_path, base="loihi2", **changes):
    """A hardware file like one of the catalogue's with other entries in its first table."""
    text = files.find("hardware", base).read_text(encoding="utf-8")
    lines = text.splitlines()
    for key, value in changes.items():
        there = [n for n, x in enumerate(lines) if x.startswith(f"{key} =")]
        line = f"{key} = {value}"
        if there:
            lines[there[0]] = line
        else:
            lines.insert(lines.index("[hardware]") + 1, line)
    path = tmp_path / "chip.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def known(value: float) -> str:
    return f'{{ value = {value}, source = "a test", confidence = "low" }}'


def test_every_number_of_the_catalogue_has_a_source_or_is_unknown():
    for name in files.names("hardware"):
        loaded = hardware.load(name)
        assert set(loaded.entries) == set(hardware.KEYS)
        for entry in (*loaded.entries.values(), *loaded.costs.values()):
            assert entry.value is None or (
                entry.source and entry.confidence in hardware.CONFIDENCES
            )


def test_no_cost_of_loihi_2_is_published():
    assert all(entry.value is None for entry in hardware.load("loihi2").costs.values())
    loihi1 = hardware.load("loihi1").costs
    assert (loihi1["energy.synaptic_event"].value, loihi1["time.synaptic_event"].value) == (
        23.6,
        3.5,
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weight_bits": "8"}, "'weight_bits' must be { value"),
        ({"weight_bits": "{ value = 8 }"}, "needs a source and a confidence"),
        ({"weight_bits": '{ value = "eight", source = "x", confidence = "low" }'}, "whole number"),
        ({"cores_per_chip": '{ value = "unknown" }'}, "'cores_per_chip' must be known"),
        (
            {"cores_per_chip": known(10**6)},
            "whole number of at least 1 and at most 10000, not 1000",
        ),
        (
            {"payload_bits": known(-1)},
            "'payload_bits' must be a whole number of at least 0 and .* or",
        ),
        ({"chips": known(0)}, "'chips' must be a whole number of at least 1"),
        (
            {"synapse_formats": '{ value = "heap", source = "x", confidence = "low" }'},
            "'synapse_formats' must be some of dense, sparse, shared, not 'heap'",
        ),
        *(
            ({key: known(0)}, f"'{key}' must be a whole number of at least 1.*, not 0")
            for key in hardware.NUMBERS
            if key not in hardware.MAY_BE_ZERO
        ),
    ],
)
def test_a_bad_hardware_file_is_one_sentence(tmp_path, changes, said):
    with pytest.raises(CatalogError, match=said) as raised:
        hardware.load(chip(tmp_path, **changes))
    assert len(str(raised.value).splitlines()) == 1


def test_all_faults_are_said_at_once_each_with_its_line(tmp_path):
    path = tmp_path / "chip.toml"
    path.write_text(
        "[hardware]\n"
        'neuron_model = { value = "programmable", source = "x", confidence = "low" }\n'
        "neurons_percore = 3\n"
        f"cores_per_chip = {known(0)}\n"
        f"neurons_per_core = {known(100)}\n"
        "weight_bits = 8\n"
        "[energy]\n"
        f"synaptic_event = {known(-2)}\n"
        "neuron = 1\n"
        "[powers]\n",
        encoding="utf-8",
    )
    with pytest.raises(CatalogError) as raised:
        hardware.load(str(path))
    lines = sorted(str(raised.value).splitlines())
    expected = [
        f"{path}:10: unknown table 'powers'",
        f"{path}:3: unknown entry 'neurons_percore', did you mean 'neurons_per_core'?",
        f"{path}:4: 'cores_per_chip' must be a whole number of at least 1 and at most 10000, not 0",
        f'{path}:6: \'weight_bits\' must be {{ value = ..., source = "...", confidence = "..." }}',
        f"{path}:8: 'synaptic_event' must be a number of at least 0 and at most 1e+09 or \"unknown\","
        " not -2",
        f"{path}:9: unknown entry 'neuron', did you mean 'neuron_active'?",
    ]
    assert [line[: len(e)] for line, e in zip(lines, expected, strict=True)] == expected


def test_a_chip_may_have_none_of_some_things(tmp_path):
    loaded = hardware.load(chip(tmp_path, **{key: known(0) for key in hardware.MAY_BE_ZERO}))
    assert all(loaded.number(key) == 0 for key in hardware.MAY_BE_ZERO)


def test_a_system_may_say_how_many_chips_it_has(tmp_path):
    assert hardware.load(chip(tmp_path, chips=known(2))).number("chips") == 2
    assert hardware.load("loihi2").number("chips") is None


def test_an_unknown_name_or_entry_names_the_nearest(tmp_path):
    with pytest.raises(CatalogError, match="did you mean 'loihi"):
        hardware.load("loihi3")
    path = tmp_path / "h.toml"
    path.write_text("[hardware]\nneurons_percore = 3\n", encoding="utf-8")
    with pytest.raises(CatalogError, match="did you mean 'neurons_per_core'"):
        hardware.load(str(path))
    with pytest.raises(ModelError, match="cannot be read"):
        hardware.load(str(tmp_path / "gone.toml"))
