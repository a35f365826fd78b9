"""Binary images: reading, drawing, noise and writing."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from neuroglia_snn import images
from neuroglia_snn.errors import ImageError
from neuroglia_snn.images import read_image, write_png
from neuroglia_snn.papers.noise_memory.patterns import (
    render_digit_one,
    render_disjoint,
    salt_and_pepper,
)

FIGURE = np.array([[0, 1, 0], [1, 1, 0]], bool)
SHAPE = (2, 3)
IMAGES = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))
EXTENSIONS = st.sampled_from([".png", ".npy", ".txt"])
LATTICES = st.tuples(st.integers(10, 300), st.integers(10, 300))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One folder for all examples of a property, which overwrite each other's file."""
    return tmp_path_factory.mktemp("images")


def write(image, path):
    """Write an image in the format of the path's extension."""
    if path.suffix == ".png":
        write_png(image, path)
    elif path.suffix == ".npy":
        np.save(path, image)
    else:
        np.savetxt(path, image, fmt="%d")
    return path


def save_png(pixels, path, mode=None):
    image = Image.fromarray(np.asarray(pixels))
    (image if mode is None else image.convert(mode)).save(path)
    return path


# Reading


@settings(deadline=None)
@given(image=IMAGES, extension=EXTENSIONS)
def test_every_format_gives_the_image_back(folder, image, extension):
    path = write(image, folder / f"round_trip{extension}")
    restored = read_image(path, image.shape)
    assert restored.dtype == np.bool_
    np.testing.assert_array_equal(restored, image)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16, np.float64, ">i4"])
def test_npy_of_any_number_type(tmp_path, dtype):
    np.save(tmp_path / "a.npy", FIGURE.astype(dtype))
    np.testing.assert_array_equal(read_image(tmp_path / "a.npy", SHAPE), FIGURE)


@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_of_either_memory_order(tmp_path, order):
    np.save(tmp_path / "a.npy", np.asarray(FIGURE, order=order))
    np.testing.assert_array_equal(read_image(tmp_path / "a.npy", SHAPE), FIGURE)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_png_of_every_mode(tmp_path, mode):
    path = save_png(FIGURE.astype(np.uint8) * 255, tmp_path / "a.png", mode)
    np.testing.assert_array_equal(read_image(path, SHAPE), FIGURE)


@pytest.mark.parametrize("on", [1, 65535])
def test_png_of_16_bit_grey(tmp_path, on):
    path = save_png(FIGURE.astype(np.uint16) * on, tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(path, SHAPE), FIGURE)


def test_png_of_zeros_and_ones(tmp_path):
    path = save_png(FIGURE.astype(np.uint8), tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(path, SHAPE), FIGURE)


def test_a_palette_counts_by_its_colours_not_by_its_indices(tmp_path):
    image = Image.new("P", (3, 2))
    image.putpalette([255, 255, 255, 0, 0, 0])
    image.putdata(FIGURE.ravel().astype(int).tolist())
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", SHAPE), ~FIGURE)


def test_alpha_is_ignored(tmp_path):
    grey = FIGURE.astype(np.uint8) * 255
    transparent = np.stack([grey, grey, grey, np.full_like(grey, 0)], axis=-1)
    path = save_png(transparent, tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(path, SHAPE), FIGURE)


def test_a_dark_figure_on_light_ground_is_not_inverted(tmp_path):
    mostly_white = np.ones((4, 4), bool)
    mostly_white[1, 2] = False
    path = write(mostly_white, tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(path, (4, 4)), mostly_white)


@pytest.mark.parametrize("value", [False, True])
def test_an_image_of_one_value_is_binary(tmp_path, value):
    path = write(np.full(SHAPE, value), tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(path, SHAPE), np.full(SHAPE, value))


@pytest.mark.parametrize(
    "content",
    [
        b"0 1 0\n1 1 0\n",
        b"0 1 0\n1 1 0",
        b"\n  0\t1  0 \r\n\r\n1 1 0\r\n\n",
        b"\xef\xbb\xbf0 1 0\n1 1 0\n",
        b"0.0 1.0 0e0\n1.000000000000000000e+00 1 0\n",
    ],
)
def test_text_in_all_its_shapes(tmp_path, content):
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    np.testing.assert_array_equal(read_image(path, SHAPE), FIGURE)


def test_the_extension_may_be_upper_case_and_the_path_a_string(tmp_path):
    write(FIGURE, tmp_path / "a.png").rename(tmp_path / "A.PNG")
    np.testing.assert_array_equal(read_image(str(tmp_path / "A.PNG"), SHAPE), FIGURE)


# Resizing


@settings(deadline=None)
@given(image=IMAGES, extension=EXTENSIONS, factor=st.integers(1, 4))
def test_enlarging_by_a_whole_factor_repeats_pixels(folder, image, extension, factor):
    path = write(image, folder / f"enlarged{extension}")
    block = np.ones((factor, factor), bool)
    shape = (image.shape[0] * factor, image.shape[1] * factor)
    np.testing.assert_array_equal(read_image(path, shape, resize=True), np.kron(image, block))


@settings(deadline=None)
@given(image=IMAGES, shape=st.tuples(st.integers(1, 20), st.integers(1, 20)))
def test_resizing_takes_the_pixel_under_each_centre(folder, image, shape):
    path = write(image, folder / "resized.npy")
    rows, columns = (
        [int(np.floor((i + 0.5) * source / target + 1e-9)) for i in range(target)]
        for source, target in zip(image.shape, shape, strict=True)
    )
    expected = np.array([[image[row, column] for column in columns] for row in rows])
    np.testing.assert_array_equal(read_image(path, shape, resize=True), expected)


def test_resizing_does_not_make_grey_binary(tmp_path):
    path = save_png(np.array([[0, 128], [255, 0]], np.uint8), tmp_path / "grey.png")
    with pytest.raises(ImageError, match="not binary"):
        read_image(path, (4, 4), resize=True)


# What cannot be read


def refusal(path, shape=SHAPE, **options):
    """The message of the error, which has to be one line that names the file."""
    with pytest.raises(ImageError) as caught:
        read_image(path, shape, **options)
    message = str(caught.value)
    assert repr(str(path)) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("extension", [".png", ".npy", ".txt"])
def test_another_size_is_refused_with_a_way_out(tmp_path, extension):
    message = refusal(write(FIGURE, tmp_path / f"a{extension}"), shape=(130, 131))
    assert "2 x 3 pixels" in message
    assert "130 x 131 neurons" in message
    assert "--resize would fit it" in message


def test_the_name_says_which_image_is_meant(tmp_path):
    message = refusal(tmp_path / "a.png", name="training image")
    assert message == f"training image {str(tmp_path / 'a.png')!r} does not exist"


def test_a_grey_png_is_not_binary(tmp_path):
    path = save_png(np.array([[0, 255, 7], [9, 0, 0]], np.uint8), tmp_path / "a.png")
    message = refusal(path)
    assert "only 0 and 255, or only 0 and 1" in message
    assert "2 of its 6 pixels" in message
    assert "e.g. 7 at row 0, column 2" in message


def test_a_png_of_0_1_and_255_is_not_binary(tmp_path):
    path = save_png(np.array([[0, 255, 1]], np.uint8), tmp_path / "a.png")
    assert "e.g. 1 at row 0, column 2" in refusal(path, shape=(1, 3))


def test_a_16_bit_png_is_judged_by_its_own_full_scale(tmp_path):
    path = save_png(np.array([[0, 255]], np.uint16), tmp_path / "a.png")
    message = refusal(path, shape=(1, 2))
    assert "only 0 and 65535" in message
    assert "e.g. 255 at row 0, column 1" in message


def test_a_coloured_pixel_is_not_binary(tmp_path):
    path = save_png(np.array([[[255, 255, 255], [255, 0, 0]]], np.uint8), tmp_path / "a.png")
    message = refusal(path, shape=(1, 2))
    assert "1 of its 2 pixels" in message
    assert "e.g. (255, 0, 0) at row 0, column 1" in message


@pytest.mark.parametrize("value", [0.5, -1.0, 255.0, np.nan, np.inf])
@pytest.mark.parametrize("extension", [".npy", ".txt"])
def test_another_number_is_not_binary(tmp_path, value, extension):
    path = tmp_path / f"a{extension}"
    pixels = np.array([[0, 1, 0], [1, value, 0]])
    np.save(path, pixels) if extension == ".npy" else np.savetxt(path, pixels)
    message = refusal(path)
    assert "only 0 and 1, but 1 of its 6 pixels" in message
    assert f"e.g. {value} at row 1, column 1" in message


@pytest.mark.parametrize("extension", [".png", ".npy", ".txt", ""])
def test_a_missing_file(tmp_path, extension):
    assert refusal(tmp_path / f"a{extension}").endswith("does not exist")


@pytest.mark.parametrize("extension", [".png", ""])
def test_a_directory(tmp_path, extension):
    path = tmp_path / f"a{extension}"
    path.mkdir()
    assert refusal(path).endswith("is a directory, not a file")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_without_waiting_for_its_writer(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    assert refusal(tmp_path / "a.png").endswith("is not a regular file")


def test_a_file_without_permission(tmp_path, monkeypatch):
    def denied(self):
        raise PermissionError(13, "Permission denied", str(self))

    path = write(FIGURE, tmp_path / "a.png")
    monkeypatch.setattr(Path, "read_bytes", denied)
    assert refusal(path).endswith("cannot be read: Permission denied")


@pytest.mark.parametrize("name", ["a\0b.png", "x" * 5000 + ".png", "line\nbreak.png", "\udcff.png"])
def test_an_impossible_path(tmp_path, name):
    refusal(tmp_path / name)


def test_a_file_below_a_file(tmp_path):
    write(FIGURE, tmp_path / "a.png")
    refusal(tmp_path / "a.png" / "b.png")


def test_a_file_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "_MAX_FILE_BYTES", 10)
    assert "too large" in refusal(write(FIGURE, tmp_path / "a.npy"))


@pytest.mark.parametrize("allowed", [4, 2])  # Pillow warns above its limit, raises above twice it
def test_a_png_of_too_many_pixels(tmp_path, monkeypatch, allowed):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", allowed)
    assert "too many pixels" in refusal(write(FIGURE, tmp_path / "a.png"))


@pytest.mark.parametrize("name", ["a.jpg", "a.npz", "a", ".png", "a.png.gz"])
def test_a_name_of_no_known_format(tmp_path, name):
    (tmp_path / name).write_bytes(b"0 1 0\n1 1 0\n")
    assert refusal(tmp_path / name).endswith("has to end in .png, .npy, .txt")


@pytest.mark.parametrize("extension", [".png", ".npy", ".txt"])
def test_an_empty_file(tmp_path, extension):
    (tmp_path / f"a{extension}").touch()
    assert refusal(tmp_path / f"a{extension}").endswith("is an empty file")


@pytest.mark.parametrize("extension", [".png", ".npy"])
@pytest.mark.parametrize("kept", [5, 30, 60, -20])
def test_a_truncated_file(tmp_path, extension, kept):
    path = write(render_digit_one((20, 20)), tmp_path / f"a{extension}")
    path.write_bytes(path.read_bytes()[:kept])
    assert f"not a readable {extension if extension == '.npy' else 'PNG'}" in refusal(path)


def test_a_damaged_png_header(tmp_path):
    path = write(FIGURE, tmp_path / "a.png")
    content = bytearray(path.read_bytes())
    content[17] ^= 0xFF  # the width, which the header's checksum covers
    path.write_bytes(content)
    assert "not a readable PNG" in refusal(path)


@settings(deadline=None, max_examples=300)
@given(position=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
def test_a_changed_byte_never_changes_the_image(folder, position, change):
    image = salt_and_pepper(render_digit_one((20, 20)), 0.5, seed=1)
    path = write(image, folder / "changed.png")
    content = bytearray(path.read_bytes())
    content[int(position * len(content))] ^= change
    path.write_bytes(content)
    try:
        restored = read_image(path, (20, 20))
    except ImageError:
        return
    np.testing.assert_array_equal(restored, image)


def test_another_format_under_the_name_of_png(tmp_path):
    Image.fromarray(FIGURE.astype(np.uint8) * 255).save(tmp_path / "a.png", format="BMP")
    assert "in another format" in refusal(tmp_path / "a.png")


def test_an_archive_under_the_name_of_npy(tmp_path):
    np.savez(tmp_path / "a.npz", FIGURE)
    assert "in another format" in refusal((tmp_path / "a.npz").rename(tmp_path / "a.npy"))


class Trap:
    """Its pickle, once loaded, makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_is_refused_unopened(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[Trap(tmp_path / "sprung")]]), allow_pickle=True)
    assert "Python objects" in refusal(tmp_path / "a.npy", shape=(1, 1))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("dtype", ["U1", "S1", complex, "datetime64[s]", [("a", int)]])
def test_an_array_of_no_numbers(tmp_path, dtype):
    np.save(tmp_path / "a.npy", np.zeros(SHAPE, dtype))
    assert "not numbers 0 and 1" in refusal(tmp_path / "a.npy")


@pytest.mark.parametrize("shape", [(), (6,), (2, 3, 1), (1, 2, 3, 4)])
def test_an_array_of_other_than_two_dimensions(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.zeros(shape))
    message = refusal(tmp_path / "a.npy", resize=True)
    assert f"has {len(shape)} dimensions" in message
    assert "an image has 2" in message


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_an_array_without_pixels(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.zeros(shape))
    assert refusal(tmp_path / "a.npy", resize=True).endswith("holds no pixels")


def test_a_header_that_promises_more_than_memory_holds(tmp_path):
    path = tmp_path / "a.npy"
    header = {"descr": "|u1", "fortran_order": False, "shape": (2**31, 2**31)}
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, header)
    path.write_bytes(content.getvalue())
    assert "not a readable .npy" in refusal(path)


def test_a_text_file_of_blanks(tmp_path):
    (tmp_path / "a.txt").write_text(" \n\n\t\n")
    assert refusal(tmp_path / "a.txt").endswith("holds no pixels")


def test_a_text_file_with_rows_of_unequal_length(tmp_path):
    (tmp_path / "a.txt").write_text("0 1 0\n\n1 1\n")
    assert "3 pixels in row 0 but 2 in row 1" in refusal(tmp_path / "a.txt")


@pytest.mark.parametrize("word", ["x", "0,1", "#", "y" * 1000])
def test_a_text_file_with_a_word(tmp_path, word):
    (tmp_path / "a.txt").write_text(f"0 1 0\n1 {word} 0\n")
    message = refusal(tmp_path / "a.txt")
    assert "at row 1, column 1" in message
    assert word[:20] in message
    assert word * 2 not in message


def test_a_binary_file_under_the_name_of_txt(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe0\x001\x00")
    assert refusal(tmp_path / "a.txt").endswith("is not a text file")


def read_or_refuse(path, resize):
    try:
        image = read_image(path, SHAPE, resize=resize)
    except ImageError:
        return
    assert image.shape == SHAPE
    assert image.dtype == np.bool_


PREFIXES = st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\x93NUMPY\x01\x00", b"\x93NUMPY\x03\x00"])


@settings(deadline=None)
@given(prefix=PREFIXES, content=st.binary(max_size=200), extension=EXTENSIONS, resize=st.booleans())
def test_random_bytes_raise_nothing_but_an_image_error(folder, prefix, content, extension, resize):
    path = folder / f"random{extension}"
    path.write_bytes(prefix + content)
    read_or_refuse(path, resize)


@settings(deadline=None, max_examples=300)
@given(
    extension=EXTENSIONS,
    position=st.floats(0, 1, exclude_max=True),
    replacement=st.binary(max_size=4),
    removed=st.integers(0, 4),
)
def test_damaged_files_raise_nothing_but_an_image_error(
    folder, extension, position, replacement, removed
):
    path = write(FIGURE, folder / f"damaged{extension}")
    content = path.read_bytes()
    start = int(position * len(content))
    path.write_bytes(content[:start] + replacement + content[start + removed :])
    read_or_refuse(path, resize=False)


@settings(deadline=None)
@given(text=st.text(alphabet="01 \n\t.-enaif_\x00٣", max_size=60), resize=st.booleans())
def test_random_text_raises_nothing_but_an_image_error(folder, text, resize):
    path = folder / "random_words.txt"
    path.write_text(text, encoding="utf-8")
    read_or_refuse(path, resize)


# Drawing


def extent(mask):
    """First and last index of the True elements."""
    indices = np.flatnonzero(mask)
    return indices[0], indices[-1]


def test_the_digit_one_on_the_lattice_of_the_paper():
    digit = render_digit_one()
    assert digit.shape == (130, 130)
    assert digit.dtype == np.bool_
    top, bottom = extent(digit.any(axis=1))
    left, right = extent(digit.any(axis=0))
    assert bottom - top + 1 == 100
    assert min(top, left, 129 - bottom, 129 - right) >= 12
    assert digit[bottom].sum() == 30
    # The flag sticks out to the left of the stem's upper half only, and slants down.
    outside = digit[:, : extent(digit[bottom])[0]]
    flag_rows = [extent(column) for column in outside.T if column.any()]
    assert len(flag_rows) == 18
    assert flag_rows == sorted(flag_rows, reverse=True)
    assert flag_rows[0][1] < 65


def test_the_disjoint_pattern_on_the_lattice_of_the_paper():
    strokes = render_disjoint()
    assert strokes.dtype == np.bool_
    columns = np.flatnonzero(strokes.any(axis=0))
    assert min(columns[0], 129 - columns[-1]) >= 5
    gaps = np.flatnonzero(np.diff(columns) > 1)
    assert len(gaps) == 1
    for stroke in np.split(columns, gaps + 1):
        assert 20 <= len(stroke) <= 30


def grown(image, margin):
    """The pixels within `margin` of the image, along both axes and diagonally."""
    padded = np.pad(image, margin)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2 * margin + 1,) * 2)
    return windows.any(axis=(2, 3))


@pytest.mark.parametrize("shape", [(130, 130), (130, 260), (260, 130), (200, 170), (333, 401)])
def test_the_patterns_keep_5_pixels_apart_on_large_lattices(shape):
    assert not (grown(render_digit_one(shape), 5) & render_disjoint(shape)).any()


@pytest.mark.parametrize("shape", [(65, 65), (40, 64), (64, 40), (20, 20), (16, 50), (10, 10)])
def test_the_patterns_share_no_pixel_on_small_lattices(shape):
    assert not (render_digit_one(shape) & render_disjoint(shape)).any()


@settings(deadline=None)
@given(LATTICES)
def test_the_patterns_are_disjoint_and_complete_on_every_lattice(shape):
    digit, strokes = render_digit_one(shape), render_disjoint(shape)
    assert digit.shape == strokes.shape == shape
    assert not (digit & strokes).any()
    # Stem and flag, and a stroke on either side, survive the sampling.
    digit_left, digit_right = extent(digit.any(axis=0))
    assert digit_left < extent(digit[extent(digit.any(axis=1))[1]])[0]
    assert strokes[:, :digit_left].any()
    assert strokes[:, digit_right + 1 :].any()
    assert not strokes[:, digit_left : digit_right + 1].any()


@pytest.mark.parametrize("factor", [2, 3])
def test_larger_lattices_show_the_same_stem(factor):
    digit = render_digit_one((130 * factor, 130 * factor))
    bottom = extent(digit.any(axis=1))[1]
    assert digit[bottom].sum() == 30 * factor


@pytest.mark.parametrize("render", [render_digit_one, render_disjoint])
@pytest.mark.parametrize("shape", [(9, 130), (130, 9), (0, 0)])
def test_a_lattice_too_small_to_draw_on(render, shape):
    with pytest.raises(ImageError, match="too small for the pattern"):
        render(shape)


# Noise

FRACTIONS = st.floats(0, 1)
SEEDS = st.integers(0, 2**32)


@given(st.integers(0, 400), FRACTIONS, SEEDS)
def test_exactly_the_chosen_pixels_become_salt_or_pepper(size, fraction, seed):
    # On an empty image only salt shows, on a full one only pepper, and the seed alone says where.
    salt = salt_and_pepper(np.zeros(size, bool), fraction, seed)
    pepper = ~salt_and_pepper(np.ones(size, bool), fraction, seed)
    n_noisy = round(fraction * size)
    assert salt.sum() == (n_noisy + 1) // 2
    assert pepper.sum() == n_noisy // 2
    assert not (salt & pepper).any()


@given(IMAGES, FRACTIONS, SEEDS)
def test_noise_overwrites_the_same_pixels_whatever_the_image(image, fraction, seed):
    salt = salt_and_pepper(np.zeros_like(image), fraction, seed)
    pepper = ~salt_and_pepper(np.ones_like(image), fraction, seed)
    np.testing.assert_array_equal(salt_and_pepper(image, fraction, seed), (image | salt) & ~pepper)


@given(IMAGES, SEEDS)
def test_no_noise_is_a_copy(image, seed):
    noisy = salt_and_pepper(image, 0.0, seed)
    np.testing.assert_array_equal(noisy, image)
    assert not np.shares_memory(noisy, image)


def test_noise_leaves_the_image_as_it_is():
    digit = render_digit_one()
    salt_and_pepper(digit, 0.4, seed=1)
    np.testing.assert_array_equal(digit, render_digit_one())


def test_about_half_of_the_noisy_pixels_change():
    digit = render_digit_one()
    changed = np.mean(salt_and_pepper(digit, 0.4, seed=1) ^ digit)
    assert changed == pytest.approx(0.2, abs=0.02)


def test_another_seed_gives_other_noise():
    digit = render_digit_one()
    noisy = salt_and_pepper(digit, 0.1, seed=1)
    np.testing.assert_array_equal(noisy, salt_and_pepper(digit, 0.1, seed=1))
    assert (noisy != salt_and_pepper(digit, 0.1, seed=2)).any()


@pytest.mark.parametrize("fraction", [-0.1, 1.1, 40, np.nan, np.inf])
def test_a_fraction_lies_between_0_and_1(fraction):
    with pytest.raises(ImageError, match="between 0 and 1"):
        salt_and_pepper(FIGURE, fraction, seed=0)


def test_noise_needs_a_boolean_image():
    with pytest.raises(ImageError, match="boolean"):
        salt_and_pepper(FIGURE.astype(int), 0.1, seed=0)


# Writing


def test_a_png_is_white_where_the_image_is_true(tmp_path):
    write_png(FIGURE, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), np.where(FIGURE, 255, 0))


@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 3), (0, 3), (2, 0)])
def test_only_rows_and_columns_can_be_written(tmp_path, shape):
    with pytest.raises(ImageError, match="rows and columns"):
        write_png(np.zeros(shape, bool), tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_only_booleans_can_be_written(tmp_path):
    with pytest.raises(ImageError, match="boolean array, not one of float64"):
        write_png(np.full(SHAPE, 0.5), tmp_path / "a.png")


@pytest.mark.parametrize("name", ["missing/a.png", ".", "a\0b.png"])
def test_a_png_that_cannot_be_written(tmp_path, name):
    with pytest.raises(ImageError, match="cannot write the image"):
        write_png(FIGURE, tmp_path / name)
