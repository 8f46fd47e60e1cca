"""Generated label tables in the exact published header of each data set, with what each image was made to say.

What an image is to say is drawn first, and its cells are written from that: what a cell means stands here as the data sets'
own documents have it, and owes nothing to the reader. Every cell value, quirk and odd row that is known of a table occurs.
No row is of a real table.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

NO, YES, UNSURE, UNKNOWN, BLANK = range(5)
"""What a table may say of a finding, by the codes of `cxr.labels.values`."""
Cells = Mapping[str, str]


@dataclass(frozen=True)
class Planned:
    """One image and what its rows were written to say.

    Args:
        key: what a file of the image is found by.
        said: codes of labels.
        rest: the code of all other labels.
        patient, study, view, sex, age, implausible: its context, as the manifest is to have it before pseudonyms.
        labelled: whether the label table has a row for it.
        owner: of its rows in the label table; the key by default.
    """

    key: str
    said: Mapping[str, int]
    rest: int = BLANK
    patient: str = ""
    study: str = ""
    view: str = "unknown"
    sex: str = "unknown"
    age: float | None = None
    implausible: bool = False
    labelled: bool = True

    def code(self, label: str) -> int:
        return self.said.get(label, self.rest)


@dataclass(frozen=True)
class Table:
    """A published file: its header, to the letter, and for each row whose it is and its cells, blank where none is given."""

    file: str
    header: str
    rows: Sequence[tuple[str, Cells]]

    @property
    def columns(self) -> list[str]:
        return next(csv.reader([self.header]))

    def write(self, folder: Path, shuffle: Random | None = None) -> dict[str, int]:
        """Write it, columns and rows in another order if asked; the first row of each owner, as a spreadsheet shows it."""
        places, rows = list(range(len(self.columns))), list(self.rows)
        if shuffle:
            shuffle.shuffle(places)
            shuffle.shuffle(rows)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([self.columns[place] for place in places])
        writer.writerows([cells.get(self.columns[place], "") for place in places] for _, cells in rows)
        data = text.getvalue().encode()
        (folder / self.file).write_bytes(gzip.compress(data) if self.file.endswith(".gz") else data)
        return {owner: number for number, (owner, _) in reversed(list(enumerate(rows, start=2)))}


@dataclass(frozen=True)
class Published:
    """A data set: its tables, the layout and label set that read them, and the plan.

    Args:
        layout, labels: shipped names.
        blank: what a blank cell is in the manifest, for all labels of the set.
        table: the label table.
        planned: of each image.
        images: the table of the images, if there is one.
        without_image: owners of rows of the label table that no image has.
        others: entries that are no label, with the number of cells that have them.
    """

    layout: str
    labels: str
    blank: str
    table: Table
    planned: Sequence[Planned]
    images: Table | None = None
    without_image: Sequence[str] = ()
    others: Mapping[str, int] = field(default_factory=dict)


NIH_LABELS = (
    "Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax", "Consolidation",
    "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia",
)  # fmt: skip
NIH_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
CHEXPERT_LABELS = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema", "Consolidation",
    "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture", "Support Devices",
)  # fmt: skip
MIMIC_TEST_LABELS = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Lesion", "Airspace Opacity", "Edema", "Consolidation",
    "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture", "Support Devices",
)  # fmt: skip
MIMIC_METADATA = (
    "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,StudyTime,"
    "ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,PatientOrientationCodeSequence_CodeMeaning"
)
VINDR_LOCAL = (
    "Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Clavicle fracture", "Consolidation", "Edema",
    "Emphysema", "Enlarged PA", "ILD", "Infiltration", "Lung Opacity", "Lung cavity", "Lung cyst", "Mediastinal shift",
    "Nodule/Mass", "Pleural effusion", "Pleural thickening", "Pneumothorax", "Pulmonary fibrosis", "Rib fracture",
    "Other lesion",
)  # fmt: skip
VINDR_GLOBAL = ("COPD", "Lung tumor", "Pneumonia", "Tuberculosis", "Other diseases", "No finding")
KAGGLE_CLASSES = (
    "Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Consolidation", "ILD", "Infiltration",
    "Lung Opacity", "Nodule/Mass", "Other lesion", "Pleural effusion", "Pleural thickening", "Pneumothorax",
    "Pulmonary fibrosis", "No finding",
)  # fmt: skip
PADCHEST_HEADER = (
    ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,ViewPosition_DICOM,Projection,"
    "MethodProjection,Pediatric,Modality_DICOM,Manufacturer_DICOM,PhotometricInterpretation_DICOM,PixelRepresentation_DICOM,"
    "PixelAspectRatio_DICOM,SpatialResolution_DICOM,BitsStored_DICOM,WindowCenter_DICOM,WindowWidth_DICOM,Rows_DICOM,"
    "Columns_DICOM,XRayTubeCurrent_DICOM,Exposure_DICOM,ExposureInuAs_DICOM,ExposureTime,RelativeXRayExposure_DICOM,ReportID,"
    "Report,MethodLabel,Labels,Localizations,LabelsLocalizationsBySentence,labelCUIS,LocalizationsCUIS"
)
PADCHEST_FINDINGS = {
    "cardiomegaly": (), "pleural effusion": (), "COPD signs": (), "NSG tube": (), "Chilaiditi sign": (), "pneumothorax": (),
    "laminar atelectasis": ("atelectasis",), "hydropneumothorax": ("pneumothorax",), "bone metastasis": (),
    "central venous catheter via jugular vein": ("central venous catheter", "catheter"),
}  # fmt: skip
"""Entries of PadChest, each with those above it in its tree, which the table does not list beside it."""
OPENI_FINDINGS = ("Cardiomegaly", "Opacity", "Fractures, Bone", "Hernia, Hiatal", "Pleural Effusion", "Mastectomy")
OPENI_OTHERS = ("Lung", "Aorta, Thoracic", "Density")

PLAIN_CELLS = [("1", YES), ("0", NO), ("-1", UNSURE), ("", BLANK), (" 1 ", YES), ("-1.0", UNSURE), ("0.0", NO), (" ", BLANK)]
MINED_CELLS = [("1.0", YES), ("0.0", NO), ("-1.0", UNSURE), ("", BLANK)]


def _each(number: int, choices: Sequence, stride: int = 1):
    """One of the choices, so that every one of them occurs over the rows."""
    return choices[number // stride % len(choices)]


def _findings(
    draw: Random, number: int, names: Sequence[str], cells: Sequence[tuple[str, int]]
) -> tuple[Cells, dict[str, int]]:
    """A cell for each label; the last label has every value in turn, so that no value can hide there."""
    drawn = {name: draw.choice(cells) for name in names} | {names[-1]: _each(number, cells)}
    return {name: cell for name, (cell, _) in drawn.items()}, {name: code for name, (_, code) in drawn.items()}


def nih(draw: Random, version: str) -> Published:
    ages = {
        "2017": [("058Y", 58, False), ("006M", 0, False), ("010D", 0, False), ("094Y", 90, False), ("414Y", None, True)],
        "2020": [("58", 58, False), ("0", 0, False), ("89", 89, False), ("94", 90, False), ("414", None, True)],
    }[version]
    rows, planned = [], []
    for number in range(72):
        patient, key = 1 + number // 3, f"{1 + number // 3:08d}_{number % 3:03d}"
        found = [] if number % 4 == 0 else draw.sample(NIH_LABELS, draw.randint(1, 5))
        cell, (age, years, implausible) = _each(number, ["|", " | "], 5).join(found) or "No Finding", _each(number, ages)
        view, sex = _each(number, [("PA", "PA"), ("AP", "AP"), ("", "unknown")]), _each(number, "MF")
        cells = dict(
            zip(NIH_HEADER.split(",")[:7], (f"{key}.png", cell, str(number % 3), str(patient), age, sex, view[0]), strict=True)
        )
        rows.append((key, cells | {"OriginalImage[Width": "2500", "Height]": "2048", "y]": "0.171"}))
        said = dict.fromkeys(found, YES)
        planned.append(Planned(key, said, BLANK if found else NO, str(patient), "", view[1], sex, years, implausible))
    file, header = (
        ("Data_Entry_2017.csv", NIH_HEADER + ",") if version == "2017" else ("Data_Entry_2017_v2020.csv.gz", NIH_HEADER)
    )
    return Published("nih14", "nih14", "0", Table(file, header, rows), planned)


def chexpert(draw: Random) -> Published:
    sexes = [("Female", "F"), ("Male", "M"), ("Unknown", "unknown")]
    ages = [("68", 68), ("0", None), ("18", 18), ("90", 90), ("92", 90)]
    views = [
        ("Frontal", "AP", "AP"), ("Frontal", "PA", "PA"), ("Lateral", "", "LATERAL"), ("Frontal", "LL", "unknown"),
        ("Frontal", "RL", "unknown"), ("Frontal", "", "unknown"),
    ]  # fmt: skip
    rows, planned = [], []
    for number in range(72):
        patient, study = f"patient{1 + number // 5:05d}", f"patient{1 + number // 5:05d}/study{1 + number % 5 // 2}"
        side, position, view = _each(number, views)
        key = f"train/{study}/view{1 + number % 5 % 2}_{side.lower()}"
        cells, said = _findings(draw, number, CHEXPERT_LABELS, MINED_CELLS)
        (sex, sex_means), (age, years) = _each(number, sexes), _each(number, ages)
        context = {"Path": f"CheXpert-v1.0-small/{key}.jpg", "Sex": sex, "Age": age, "Frontal/Lateral": side, "AP/PA": position}
        rows.append((key, context | cells))
        planned.append(Planned(key, said, BLANK, patient, study, view, sex_means, years))
    header = f"Path,Sex,Age,Frontal/Lateral,AP/PA,{','.join(CHEXPERT_LABELS)}"
    return Published("chexpert", "chexpert", "unknown", Table("train.csv", header, rows), planned)


def chexpert_test(draw: Random) -> Published:
    rows, planned = [], []
    for number in range(40):
        study = f"patient{64741 + number:05d}/study1"
        cells, said = _findings(draw, number, CHEXPERT_LABELS, MINED_CELLS[:2])
        rows.append((f"test/{study}/view1_frontal", {"Path": f"test/{study}/view1_frontal.jpg"} | cells))
        planned.append(Planned(rows[-1][0], said, BLANK, study.partition("/")[0], study))
    header = f"Path,{','.join(CHEXPERT_LABELS)}"
    return Published("chexpert/test", "chexpert", "unknown", Table("test_labels.csv", header, rows), planned)


def _mimic_images() -> Iterator[tuple[str, str, str, str, str]]:
    """dicom_id, subject_id, study_id, ViewPosition and the view it means: 40 studies of one to three images."""
    views = [
        ("AP", "AP"), ("PA", "PA"), ("LATERAL", "LATERAL"), ("LL", "LATERAL"), ("AP AXIAL", "AP"), ("AP LLD", "AP"),
        ("PA RLD", "PA"), ("XTABLE LATERAL", "LATERAL"), ("LAO", "unknown"), ("SWIMMERS", "unknown"), ("", "unknown"),
    ]  # fmt: skip
    count = 0
    for study in range(40):
        for _ in range(1 + study % 3):
            yield (
                f"{count:08x}-bde0afdd-112c0b34-{count:08x}",
                str(10000000 + study // 2),
                str(50000000 + study),
                *_each(count, views),
            )
            count += 1


def _mimic(layout: str, table: Table, said: Mapping[str, Mapping[str, int]]) -> Published:
    rows, planned = [], []
    for image, subject, study, view, means in _mimic_images():
        cells = {"dicom_id": image, "subject_id": subject, "study_id": study, "ViewPosition": view}
        rows.append((image, cells | {"StudyDate": "21800506", "StudyTime": "213014.531", "Rows": "3056"}))
        labelled = study in said
        rest = BLANK if labelled else UNKNOWN
        planned.append(Planned(image, said.get(study, {}), rest, subject, study, means, labelled=labelled))
    images = Table("mimic-cxr-2.0.0-metadata.csv.gz", MIMIC_METADATA, rows)
    return Published(layout, "chexpert", "unknown", table, planned, images, [o for o, _ in table.rows if o >= "50000040"])


def mimic(draw: Random) -> Published:
    """Every seventh study has no row, one row has no image, one says nothing at all."""
    said, rows = {}, []
    for number in [*(n for n in range(40) if n % 7), 99]:
        cells, codes = _findings(draw, number, sorted(CHEXPERT_LABELS), MINED_CELLS)
        cells, codes = ({}, {}) if number == 5 else (cells, codes)
        study = str(50000000 + number)
        said[study] = codes
        rows.append((study, {"subject_id": str(10000000 + number // 2), "study_id": study} | cells))
    header = f"subject_id,study_id,{','.join(sorted(CHEXPERT_LABELS))}"
    return _mimic("mimic", Table("mimic-cxr-2.0.0-chexpert.csv.gz", header, rows), said)


def mimic_test(draw: Random) -> Published:
    said, rows = {}, []
    for number in [*range(12, 30), 99]:
        cells, codes = _findings(draw, number, MIMIC_TEST_LABELS, MINED_CELLS)
        study = str(50000000 + number)
        said[study] = {"Lung Opacity" if name == "Airspace Opacity" else name: code for name, code in codes.items()}
        rows.append((study, {"study_id": study} | cells))
    header = f"study_id,{','.join(MIMIC_TEST_LABELS)}"
    return _mimic("mimic/test", Table("mimic-cxr-2.1.0-test-set-labeled.csv", header, rows), said)


def _vindr_key(draw: Random) -> str:
    return f"{draw.getrandbits(128):032x}"


def vindr(draw: Random) -> Published:
    """Three of seventeen readers per image, who outvote each other in every way three can."""
    names, rows, planned = (*VINDR_LOCAL, *VINDR_GLOBAL), [], []
    for _ in range(24):
        key, said = _vindr_key(draw), {}
        reads = [{"image_id": key, "rad_id": f"R{reader}"} for reader in draw.sample(range(1, 18), 3)]
        for name in names:
            yes = draw.randint(0, 3)
            said[name] = YES if yes >= 2 else NO
            for place, read in zip(draw.sample(range(3), 3), reads, strict=True):
                read[name] = "1" if place < yes else "0"
        rows += [(key, read) for read in reads]
        planned.append(Planned(key, said))
    return Published(
        "vindr", "vindr", "0", Table("image_labels_train.csv", f"image_id,rad_id,{','.join(names)}", rows), planned
    )


def vindr_test(draw: Random) -> Published:
    published = ["Other disease" if name == "Other diseases" else name for name in (*VINDR_LOCAL, *VINDR_GLOBAL)]
    rows, planned = [], []
    for number in range(24):
        key = _vindr_key(draw)
        cells, said = _findings(draw, number, published, [("0", NO), ("1", YES)])
        rows.append((key, {"image_id": key} | cells))
        planned.append(Planned(key, {"Other diseases" if n == "Other disease" else n: code for n, code in said.items()}))
    return Published(
        "vindr/test", "vindr", "0", Table("image_labels_test.csv", f"image_id,{','.join(published)}", rows), planned
    )


def _box(key: str, name: str, **more: str) -> tuple[str, Cells]:
    blank = name == "No finding"
    corners = dict.fromkeys(("x_min", "y_min", "x_max", "y_max"), "" if blank else "691.0")
    return key, {"image_id": key, "class_name": name} | corners | more


def _boxes(
    draw: Random,
    layout: str,
    table: tuple[str, str],
    local: Sequence[str],
    unsaid: Sequence[str],
    more: Callable[[str], Cells] = lambda name: {},
) -> Published:
    """Boxes of three readers: of each finding as many readers as are drawn, each with one to three boxes of it."""
    rows, planned = [], []
    for number in range(24):
        key, votes = _vindr_key(draw), dict.fromkeys(local, 0)
        votes |= {name: draw.randint(1, 3) for name in draw.sample(local, _each(number, [0, 1, 4]))}
        seen: dict[str, list[str]] = {f"R{reader}": [] for reader in draw.sample(range(1, 18), 3)}
        for name, yes in votes.items():
            for reader in draw.sample(list(seen), yes):
                seen[reader] += [name] * draw.randint(1, 3)
        empty = any(not names for names in seen.values())
        for reader, names in seen.items():
            rows += [_box(key, name, rad_id=reader, **more(name)) for name in names or ["No finding"]]
        said = {name: YES if yes >= 2 else NO if yes == 1 or empty else BLANK for name, yes in votes.items()}
        planned.append(Planned(key, said | dict.fromkeys(unsaid, UNKNOWN)))
    return Published(layout, "vindr", "0", Table(*table, rows), planned)


def vindr_boxes(draw: Random) -> Published:
    table = ("annotations_train.csv", "image_id,rad_id,class_name,x_min,y_min,x_max,y_max")
    return _boxes(draw, "vindr/boxes", table, VINDR_LOCAL, VINDR_GLOBAL)


def kaggle_boxes(draw: Random) -> Published:
    """The challenge has 14 of the 22 findings: what became of the other eight it does not tell."""
    table = ("train.csv", "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max")
    unsaid = {*VINDR_LOCAL, *VINDR_GLOBAL} - {*KAGGLE_CLASSES[:-1]}
    return _boxes(
        draw,
        "vindr/kaggle",
        table,
        KAGGLE_CLASSES[:-1],
        sorted(unsaid),
        lambda name: {"class_id": str(KAGGLE_CLASSES.index(name))},
    )


def vindr_boxes_test(draw: Random) -> Published:
    rows, planned = [], []
    for number in range(24):
        key, found = _vindr_key(draw), draw.sample(VINDR_LOCAL, _each(number, [0, 1, 5]))
        rows += [_box(key, name) for name in found for _ in range(draw.randint(1, 3))] or [_box(key, "No finding")]
        said = dict.fromkeys(VINDR_LOCAL, BLANK if found else NO) | dict.fromkeys(found, YES)
        planned.append(Planned(key, said | dict.fromkeys(VINDR_GLOBAL, UNKNOWN)))
    table = Table("annotations_test.csv", "image_id,class_name,x_min,y_min,x_max,y_max", rows)
    return Published("vindr/boxes_test", "vindr", "0", table, planned)


def _padchest_cell(draw: Random, number: int) -> tuple[str, Sequence[str], int]:
    """A cell of Labels, the findings that it lists, and what it says of all others."""
    one, two, three = draw.sample(list(PADCHEST_FINDINGS), 3)
    return _each(
        number,
        [
            ("['normal']", ["normal"], NO),
            ("['normal', 'unchanged']", ["normal"], UNKNOWN),
            (f"['{one}']", [one], BLANK),
            (f"['{one}', ' {two}', '{three} ']", [one, two, three], BLANK),
            (f"['{one}', '{one}', '', ' ']", [one], BLANK),
            (f"[' {one.upper()}', '{two}']", [one, two], BLANK),
            (f"['{one}', 'unchanged']", [one], UNKNOWN),
            ("['Unchanged']", [], UNKNOWN),
            ("['exclude']", [], UNKNOWN),
            (f"['{one}', ' suboptimal study']", [one], UNKNOWN),
            ("", [], UNKNOWN),
            ("[]", [], UNKNOWN),
            ("['']", [], UNKNOWN),
            (f'["{one}"]', [one], BLANK),
        ],
    )


def padchest(draw: Random) -> Published:
    views = [
        ("PA", "PA"), ("L", "LATERAL"), ("AP", "AP"), ("AP_horizontal", "AP"), ("COSTAL", "unknown"), ("EXCLUDE", "unknown"),
        ("UNK", "unknown"), ("", "unknown"),
    ]  # fmt: skip
    births = [("1953.0", 64, False), ("2017.0", 0, False), ("", None, False), ("None", None, False), ("1918.0", 90, False)]
    births += [("2031.0", None, True), ("1850.0", None, True)]
    rows, planned = [], []
    for number in range(112):
        key, patient = f"2168401{number:030d}_00-{number:03d}", f"{10**38 + number // 3}"
        labels, found, rest = _padchest_cell(draw, number)
        (view, means), (birth, age, implausible) = _each(number, views), _each(number, births)
        sex, sex_means = _each(number, [("F", "F"), ("M", "M"), ("O", "O"), ("", "unknown")], 2)
        cells = {
            "": str(number), "ImageID": f"{key}.png", "ImageDir": "0", "StudyDate_DICOM": "20170124", "StudyID": f"s{patient}",
            "PatientID": patient, "PatientBirth": birth, "PatientSex_DICOM": sex, "ViewPosition_DICOM": "LL",
            "Projection": view, "ReportID": "None", "Report": 'sin "cambios", comparado\ncon previa;', "Labels": labels,
            "LabelsLocalizationsBySentence": "['normal', 'loc basal', 'pneumonia']", "labelCUIS": "['C0036439' 'C0242362']",
        }  # fmt: skip
        rows.append((key, cells))
        said = dict.fromkeys([name for entry in found for name in (entry, *PADCHEST_FINDINGS.get(entry, ()))], YES)
        planned.append(Planned(key, said, rest, patient, f"s{patient}", means, sex_means, age, implausible))
    table = Table("PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv", PADCHEST_HEADER, rows)
    return Published("padchest", "padchest", "0", table, planned)


def _rsna(
    draw: Random, layout: str, table: tuple[str, str], kinds: Sequence[tuple[Cells, bool, Mapping[str, int]]]
) -> Published:
    rows, planned = [], []
    for number in range(30):
        bits = f"{draw.getrandbits(128):032x}"
        key, (cells, boxed, said) = f"{bits[:8]}-{bits[8:12]}-{bits[12:16]}-{bits[16:20]}-{bits[20:]}", _each(number, kinds)
        box = dict.fromkeys({"x", "y", "width", "height"} & {*table[1].split(",")}, "264.0") if boxed else {}
        rows += [(key, {"patientId": key} | box | cells)] * (draw.randint(1, 4) if boxed else 1)
        planned.append(Planned(key, said))
    return Published(layout, "rsna", "unknown", Table(*table, rows), planned)


def rsna(draw: Random) -> Published:
    """Target 0 may be normal or not: it says nothing of Abnormal."""
    no = ({"Target": "0"}, False, {"Pneumonia": NO})
    kinds = [({"Target": "1"}, True, {"Pneumonia": YES, "Abnormal": YES}), no]
    return _rsna(draw, "rsna", ("stage_2_train_labels.csv", "patientId,x,y,width,height,Target"), kinds)


def rsna_classes(draw: Random) -> Published:
    kinds = [
        ({"class": "Lung Opacity"}, True, {"Pneumonia": YES, "Abnormal": YES}),
        ({"class": "No Lung Opacity / Not Normal"}, False, {"Pneumonia": NO, "Abnormal": YES}),
        ({"class": "Normal"}, False, {"Pneumonia": NO, "Abnormal": NO}),
    ]
    return _rsna(draw, "rsna/classes", ("stage_2_detailed_class_info.csv", "patientId,class"), kinds)


def openi(draw: Random) -> Published:
    """Reports of none to two images; one image has no report."""
    reports, images, planned, others = [], [], [], dict.fromkeys(OPENI_OTHERS, 0)
    for uid in map(str, range(1, 37)):
        (one, two), other = draw.sample(OPENI_FINDINGS, 2), _each(int(uid), OPENI_OTHERS, 9)
        kinds = [
            ("normal", ["normal"], NO), (f"{one};{two}", [one, two], BLANK), (f"{one};{other}", [one], BLANK),
            (other, [], BLANK), ("No Indexing", [], UNKNOWN), ("Technical Quality of Image Unsatisfactory ", [], UNKNOWN),
            (f"{one};{one}", [one], BLANK), ("Subcutaneous  Emphysema", ["Subcutaneous Emphysema"], BLANK), ("", [], UNKNOWN),
        ]  # fmt: skip
        problems, found, rest = _each(int(uid), kinds)
        others[other] += other in problems.split(";")
        reports.append(
            (uid, {"uid": uid, "MeSH": "Opacity/lung/base", "Problems": problems, "findings": "Heart, lungs: clear"})
        )
        for place, view in [*enumerate(("Frontal", "Lateral"))][: (int(uid) + int(uid) // 9) % 3]:
            key = f"{uid}_IM-{int(uid):04d}-{place}001.dcm"
            images.append((key, {"uid": uid, "filename": f"{key}.png", "projection": view}))
            means = {"Frontal": "unknown", "Lateral": "LATERAL"}[view]
            planned.append(Planned(key, dict.fromkeys(found, YES), rest, uid, uid, means))
    images.append(("99_IM-0099-1001.dcm", {"uid": "99", "filename": "99_IM-0099-1001.dcm.png", "projection": "Frontal"}))
    planned.append(Planned("99_IM-0099-1001.dcm", {}, UNKNOWN, "99", "99", labelled=False))
    header = "uid,MeSH,Problems,image,indication,comparison,findings,impression"
    table = Table("indiana_reports.csv", header, reports)
    shown = Table("indiana_projections.csv", "uid,filename,projection", images)
    without = [uid for uid, _ in reports if uid not in {image.patient for image in planned}]
    return Published("openi", "openi", "0", table, planned, shown, without, others)


def plain(draw: Random) -> Published:
    """A hospital's own table, with the labels of CheXpert: stray spaces, commas and quotes in names, columns of its own."""
    ages, sexes = [("54", 54, False), ("054Y", 54, False), ("-3", None, True), ("", None, False)], [("f", "F"), ("", "unknown")]
    rows, planned = [], []
    for number in range(64):
        key, patient = _each(number, [f"scan {number}", f'a, "b" {number}', f"ünï.{number}"]), f"Ward 7, bed {number // 3}"
        cells, said = _findings(draw, number, CHEXPERT_LABELS, PLAIN_CELLS)
        (age, years, implausible), (sex, sex_means) = _each(number, ages), _each(number, sexes)
        context = {"image": f" images/{key}.png", "patient_id": f" {patient} ", "view": "p.a.", "sex": sex, "age": age}
        rows.append((key, context | cells))
        planned.append(Planned(key, said, BLANK, patient, "", "PA", sex_means, years, implausible))
    header = f"image,patient_id,view,sex,age,{','.join(CHEXPERT_LABELS)},remark"
    return Published("plain", "chexpert", "unknown", Table("ours.csv", header, rows), planned)


def study(draw: Random) -> Published:
    rows, planned = [], []
    for number in range(40):
        key = f"1.2.840.{number}"
        cells, said = _findings(draw, number, CHEXPERT_LABELS, PLAIN_CELLS)
        rows.append((key, {"StudyInstanceUID": key} | cells))
        planned.append(Planned(key, said))
    header = f"StudyInstanceUID,{','.join(CHEXPERT_LABELS)}"
    return Published("study", "chexpert", "unknown", Table("labels.csv", header, rows), planned)


PUBLISHED: dict[str, Callable[[Random], Published]] = {
    "NIH 2017": lambda draw: nih(draw, "2017"),
    "NIH 2020": lambda draw: nih(draw, "2020"),
    "CheXpert": chexpert,
    "CheXpert test": chexpert_test,
    "MIMIC-CXR": mimic,
    "MIMIC-CXR test": mimic_test,
    "VinDr-CXR": vindr,
    "VinDr-CXR test": vindr_test,
    "VinDr-CXR boxes": vindr_boxes,
    "VinDr-CXR boxes, test": vindr_boxes_test,
    "VinBigData boxes": kaggle_boxes,
    "PadChest": padchest,
    "RSNA": rsna,
    "RSNA classes": rsna_classes,
    "OpenI": openi,
    "plain": plain,
    "study": study,
}
"""A data set by its name, drawn with a generator."""
