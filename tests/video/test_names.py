from pathlib import Path

import pytest

from hmdb_kedro.video.names import SCHEMES, ClipName, parse_clip_name

# One name of each scheme, and the source it tells.
EXAMPLES = {
    "hmdb51": ("golf/Film_golf_f_nm_np1_fr_med_0.avi", "Film"),
    "ucf101": ("Basketball/v_Basketball_g07_c02.avi", "Basketball_g07"),
}
LISTS = Path(__file__).resolve().parents[3] / "shared" / "hmdb51_splits"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_tells_the_source_and_takes_no_other_schemes_names(scheme):
    clip_id, source = EXAMPLES[scheme]
    assert parse_clip_name(clip_id).source_video == source
    stem = Path(clip_id).stem
    assert [name for name, known in SCHEMES.items() if known.fullmatch(stem)] == [scheme]


def test_an_hmdb51_name_tells_film_and_annotations():
    name = parse_clip_name("brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0.avi")
    assert name == ClipName("April_09", "upper", "static", 1, "back", "good")


def test_a_film_is_the_same_in_every_class():
    climb = parse_clip_name("climb/Film_climb_f_cm_np2_le_med_0.avi")
    stairs = parse_clip_name("climb_stairs/Film_climb_stairs_l_cm_np10_ri_bad_3.avi")
    assert climb.source_video == stairs.source_video == "Film"
    assert (stairs.num_people, stairs.visible_body, stairs.quality) == (10, "lower", "bad")


@pytest.mark.parametrize(
    "stem",
    [
        "hmdb51_Turnk_r_Pippi_Michel",
        "(HQ)_Rock_Climbing_-_Free_Solo",
        "Golf_300+_Yards!!!",
        "a_h_nm_np2_fr_bad_1",
    ],
)
def test_odd_film_names_survive(stem):
    name = parse_clip_name(f"golf/{stem}_golf_h_nm_np1_fr_med_0.avi")
    assert name.source_video == stem


def test_a_ucf101_name_tells_its_group():
    name = parse_clip_name("Basketball/v_Basketball_g07_c02.avi")
    assert name == ClipName("Basketball_g07")


def test_a_clip_without_a_scheme_is_its_own_source():
    clip_id = "walk/holiday in Kraków.mp4"
    assert parse_clip_name(clip_id) == ClipName(clip_id)


def test_a_given_pattern_goes_first_and_leaves_the_annotations():
    clip_id = "wave/set1_seq3_wave_u_nm_np1_ba_goo_0.avi"
    name = parse_clip_name(clip_id, r"(?P<source>set\d_seq\d)")
    assert (name.source_video, name.visible_body) == ("set1_seq3", "upper")


def test_where_the_given_pattern_is_silent_the_known_schemes_speak():
    pattern = r"(?P<source>[A-Za-z]+_\d+)_\d+$|(?P<other>validate)"
    assert parse_clip_name("jump/train_Jump_11_3.mp4", pattern).source_video == "Jump_11"
    assert parse_clip_name("jump/validate_24.mp4", pattern).source_video == "jump/validate_24.mp4"
    assert parse_clip_name("run/v_Run_g01_c01.avi", r"(?P<source>xyz)").source_video == "Run_g01"


def test_all_official_names_of_hmdb51_parse():
    if not LISTS.is_dir():
        pytest.skip(f"the official split lists are absent: {LISTS}")
    clip_ids = {
        f"{file.name.rsplit('_test_split', 1)[0]}/{line.rsplit(maxsplit=1)[0].strip()}"
        for file in LISTS.glob("*_test_split?.txt")
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.strip()
    }
    names = {clip_id: parse_clip_name(clip_id) for clip_id in clip_ids}
    assert len(names) == 6766
    assert all(name.num_people is not None for name in names.values())
    assert sum(name.num_people == 10 for name in names.values()) == 7
    sources = {(clip_id.split("/")[0], name.source_video) for clip_id, name in names.items()}
    assert len(sources) == 2291
