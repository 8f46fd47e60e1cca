"""Disease maps: what the predictor gives, and the pictures made of it."""

from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cxr.errors import DataError
from cxr.model.file import load_model, save_model
from cxr.model.head import HeadOutput
from cxr.predict.maps import FULL, on_image, overlay
from cxr.predict.predictor import Predictor
from tests.serve.models import SIZE, write_model

CPU = torch.device("cpu")


@pytest.fixture
def images() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(2).integers(0, 256, (5, SIZE, SIZE), dtype=np.uint8)


def test_each_label_has_a_map_of_each_image_on_the_grid_of_patches(tmp_path, images):
    maps = Predictor(write_model(tmp_path / "m.safetensors"), CPU).maps(images)
    assert (maps.dtype, maps.shape) == (np.float32, (5, 3, 4, 4))  # 32 pixels in patches of 8, without the class token
    assert maps.min() >= 0
    np.testing.assert_allclose(maps.sum((2, 3)), 1, atol=1e-5)
    assert np.ptp(maps) > 0.05


def test_a_feature_map_of_a_pyramid_is_a_grid_too(tmp_path, images):
    path = write_model(tmp_path / "m.safetensors", model={"backbone": "resnet10t", "options": {}})
    maps = Predictor(path, CPU).maps(np.repeat(np.repeat(images, 2, 1), 2, 2))
    assert maps.shape == (5, 3, 4, 4)  # 64 pixels in places of 16
    np.testing.assert_allclose(maps.sum((2, 3)), 1, atol=1e-5)


@pytest.mark.parametrize(("row", "column"), [(0, 3), (2, 1), (3, 0)])
def test_a_query_that_looks_for_a_bright_patch_finds_its_row_and_column(tmp_path, row, column):
    image = np.full((1, SIZE, SIZE), 30, np.uint8)
    image[0, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 255
    path = write_model(tmp_path / "m.safetensors")
    saved = load_model(path, CPU)
    with torch.no_grad():
        pool = saved.classifier.head.pool
        grey = torch.from_numpy(image).unsqueeze(1) / 255
        keys = pool.norm(saved.classifier.backbone((grey - 0.5) / 0.25).tokens)[0]
        place = 4 * row + column
        others = np.delete(np.arange(16), place)
        pool.query[1] = 30 * (keys[place] - keys[others].mean(0))
    save_model(path, saved.classifier.state_dict(), saved.card)
    found = Predictor(path, CPU).maps(image)[0, 1]
    assert np.unravel_index(found.argmax(), found.shape) == (row, column)
    picture = on_image(found, SIZE)
    assert [place // 8 for place in np.unravel_index(picture.argmax(), picture.shape)] == [row, column]


def test_maps_of_a_narrower_network_are_its_own(tmp_path, images):
    predictor = Predictor(write_model(tmp_path / "m.safetensors", heads=(1, 2)), CPU)
    assert np.abs(predictor.at(1).maps(images) - predictor.maps(images)).max() > 0.01


@pytest.mark.parametrize("head", [{"kind": "aggregated"}, {"pooling": "token"}])
def test_a_head_without_attention_says_that_it_has_no_maps(tmp_path, images, head):
    with pytest.raises(DataError, match=r"no disease maps: the head is .*; maps come from branches with attention pooling"):
        Predictor(write_model(tmp_path / "m.safetensors", head=head), CPU).maps(images)


def test_tokens_that_form_no_grid_are_refused_in_words(tmp_path, images):
    predictor = copy.copy(Predictor(write_model(tmp_path / "m.safetensors"), CPU))
    logits = torch.zeros(5, 3)
    predictor._network = lambda _: HeadOutput(logits, logits, logits, maps=torch.full((5, 3, 15), 1 / 15))
    with pytest.raises(DataError, match="15 tokens of vit_tiny_patch16_224 form no square grid"):
        predictor.maps(images)


def test_even_attention_is_one_everywhere_and_leaves_the_radiograph_as_it_is(images):
    even = on_image(np.full((3, 7, 7), 1 / 49, np.float32), SIZE)
    assert (even.dtype, even.shape) == (np.float32, (3, SIZE, SIZE))
    np.testing.assert_allclose(even, 1, atol=1e-5)
    assert np.array_equal(overlay(images[0], even[0]), np.repeat(images[0][..., None], 3, axis=2))


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 4, 8]))
def test_the_mean_stays_one_and_no_place_gets_more_than_its_patches_had(seed, side):
    attention = np.random.default_rng(seed).dirichlet(np.ones(side * side)).astype(np.float32).reshape(side, side)
    picture = on_image(attention, SIZE)
    assert picture.mean() == pytest.approx(1, abs=1e-4)
    assert picture.max() <= attention.max() * side * side + 1e-4
    assert picture.min() >= 0


def test_maps_compare_over_images_twice_the_attention_is_twice_the_value():
    weak, strong = np.full((2, 4, 4), 1 / 16, np.float32)
    weak[1, 1], strong[1, 1] = 0.2, 0.4
    assert on_image(strong, SIZE)[11, 11] == pytest.approx(2 * on_image(weak, SIZE)[11, 11], rel=0.2)


def test_the_radiograph_shows_through_the_strongest_colour():
    dark, bright = np.full((8, 8), 40, np.uint8), np.full((8, 8), 200, np.uint8)
    attention = np.geomspace(0.1, 4 * FULL, 64, dtype=np.float32).reshape(8, 8)
    under = overlay(dark, attention).astype(int)
    above = overlay(bright, attention).astype(int)
    assert under.shape == (8, 8, 3)
    assert overlay(dark, attention).dtype == np.uint8
    assert (above - under).min() >= 60
    colour = np.ptp(under, axis=2).ravel()
    assert colour[attention.ravel() <= 1].max() == 0
    assert colour[-1] > 80
    assert np.array_equal(under[-1, -1], overlay(dark, np.full((8, 8), FULL, np.float32))[0, 0])
