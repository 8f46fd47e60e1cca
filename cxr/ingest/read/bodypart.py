"""Whether a header says that the chest was examined, another part of the body, or nothing of it.

Where several parts are named and the chest is one of them, it is a chest: a newborn's chest and abdomen are one exposure.
Not so in the texts of an order, which is often one of several exposures ("Polytrauma: Thorax, Becken"): it then tells nothing.
Bone views of the thorax (ribs, "knöcherner Thorax", one side of it) are another examination.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

from cxr.ingest.read.attributes import IMAGE_TEXTS, ORDER_TEXTS, codes, text, words

_CHEST_STEMS = ("CHEST", "THORAX", "TORAX")  # CHESTABDOMEN, NECKCHEST, BETTTHORAX
_CHEST_WORDS = set(words("CXR LUNG LUNGS LUNGE LUNGEN BETTLUNGE PULMO COR HEART HERZ MEDIASTINUM BRONCHUS TORACE"))
_BONES_OF_IT = set(words("HEMITHORAX KNOECHERNER KNOECHERN BONY"))

# Words that name another part wherever they stand: defined terms of PS3.16 Annex L, then the same in plain English and German.
_OTHER_WORDS = set(
    words("""
    ABDOMEN ABDOMENPELVIS ACJOINT ANKLE APPENDIX BLADDER BRAIN BREAST CALCANEUS CALF CAROTID CERVIX CLAVICLE COCCYX COLON CSPINE
    CTSPINE DUODENUM ELBOW EXTREMITY FEMUR FINGER FOOT FOREARM GALLBLADDER HAND HEADNECK HIP HUMERUS ILEUM ILIUM JEJUNUM
    KIDNEY KNEE LARYNX LIVER LSPINE LSSPINE MANDIBLE MAXILLA ORBIT PANCREAS PAROTID PATELLA PELVIS PHANTOM PHARYNX PROSTATE
    RECTUM RIB SCAPULA SIJOINT SKULL SPINE SPLEEN SSPINE STERNUM STOMACH TESTIS THIGH THUMB THYROID TIBIA FIBULA TLSPINE TMJ
    TOE TSPINE UPPERARM UPRURINARYTRACT URETER URETHRA UTERUS WRIST ZYGOMA SHOULDER RADIUS ULNA
    ANKLES ELBOWS FEET FINGERS HANDS HIPS KIDNEYS KNEES KUB PELVIC RIBS SACRUM SHOULDERS SINUSES TEETH TOES WRISTS
    BAUCH BECKEN BECKENUEBERSICHT BWS DAUMEN ELLENBOGEN ELLBOGEN FUSS FUESSE HAENDE HANDGELENK HUEFTE HUEFTGELENK HWS KIEFER
    KNIE KNIEGELENK KNOECHEL KOPF LWS MAMMA OBERARM OBERSCHENKEL RIPPE RIPPEN SCHAEDEL SCHLUESSELBEIN SCHULTER SCHULTERGELENK
    SPRUNGGELENK UNTERARM UNTERSCHENKEL WIRBELSAEULE ZEHE ZEHEN
    """)
)
# defined terms that in free text are as often something else ("arm raised", "call back")
_OTHER_TERMS = _OTHER_WORDS | set(words("ARM BACK EAR EYE FACE HEAD IAC JAW LEG MOUTH NECK NOSE AORTA NASALBONE"))

_CHEST_CODES = """
    51185008 816094009 39607008 86598002 3341006 44029006 80891009 72410000 955009 43799004
    416550000 416775004 417437006 416319003 416152001
    T-D3000 T-D3200 T-D3300 T-28000 T-280A0 T-32000 T-26000 R-FAB52 R-FAB53 R-FAB54 R-FAB55 R-FAB56
"""
# CID 4009 of PS3.16 (DX Anatomy Imaged) without the chest, the whole body, trachea and oesophagus, which tell nothing here:
# SNOMED CT, then SNOMED-RT as older files have it, with the retired codes of abdomen and pelvis
_OTHER_CODES = """
    661005 774007 2095001 4596009 7569003 7844006 12921003 13648007 13881006 14742008 14975008 15776009 16953009 16982005
    21306003 22356005 24136001 27949001 28231008 28273000 29707007 29836001 30021000 30315005 30608006 34402009 34516001
    34707002 38848004 39723000 40983000 41216001 42575006 45048000 45289007 51299004 53120007 53505006 53620006 54019009
    54735007 55024004 56459004 56873002 58742003 59066005 61685007 64234005 64688005 66019005 68367000 69536005 69695003
    69930009 70258002 70925003 71341001 71854001 72001000 72696002 74386004 74670003 76505004 76752008 79601000 79741001
    80144004 81745001 85050009 85562004 85856004 87342007 87953007 89546000 89837001 91397008 91609006 102292000 110517009
    110621006 110639002 113197003 113345001 122494005 122495006 122496007 303270005 361078006 363654007 371195002 371398005
    421060004 431491007 706342009 816092008 818981001 818982008 1217253001 1217254007 1217256009 1217257000 1231522001
    R-FE0C7 T-04000 T-11011 T-11100 T-11102 T-11133 T-11149 T-11166 T-11170 T-11180 T-11196 T-11210 T-11300 T-11501 T-11502
    T-11503 T-11AD0 T-11BF0 T-12280 T-12310 T-12340 T-12410 T-12700 T-12710 T-12730 T-12750 T-12770 T-12980 T-13600 T-14668
    T-15290 T-15420 T-15430 T-15460 T-15610 T-15680 T-15710 T-15750 T-15770 T-22000 T-24100 T-50007 T-57000 T-58000 T-58200
    T-58400 T-58600 T-59000 T-59300 T-59600 T-59900 T-60600 T-60610 T-61100 T-61300 T-63000 T-64500 T-65000 T-65010 T-65600
    T-7000B T-73000 T-74000 T-75000 T-88920 T-92000 T-AA000 T-AB959 T-D0300 T-D04FF T-D0801 T-D0821 T-D1000 T-D1100 T-D1213
    T-D1460 T-D14AE T-D1600 T-D2220 T-D2500 T-D4000 T-D6000 T-D8000 T-D8200 T-D8500 T-D8700 T-D8800 T-D8810 T-D9000 T-D9100
    T-D9200 T-D9400 T-D9700 T-D9800
"""
_SNOMED = ("SCT", "SRT", "SNM3", "99SDM")


def shows_chest(header: Dataset) -> bool | None:
    """Whether the chest was examined.

    The first that tells counts: BodyPartExamined, AnatomicRegionSequence, the descriptions of the image, those of the order.

    Returns:
        True for a chest, False for another part of the body, None where nothing tells, or an order names both.

    Raises:
        Refused: an element's bytes do not fit its value representation.
    """
    told = _of_words(text(header, "BodyPartExamined"), _OTHER_TERMS)
    if told is None:
        told = _of_codes(header)
    for name in IMAGE_TEXTS:
        if told is None:
            told = _of_words(text(header, name), _OTHER_WORDS)
    return _of_order(header) if told is None else told


def _of_order(header: Dataset) -> bool | None:
    for name in ORDER_TEXTS:
        line = text(header, name)
        told = _of_words(line, _OTHER_WORDS)
        if told is not None:
            return None if told and _OTHER_WORDS & set(words(line)) else told
    return None


def _of_words(line: str, other: set[str]) -> bool | None:
    listed = set(words(line))
    if listed & _BONES_OF_IT:
        return False
    if listed & _CHEST_WORDS or any(stem in word for word in listed for stem in _CHEST_STEMS):
        return True
    return False if listed & other else None


def _of_codes(header: Dataset) -> bool | None:
    listed = {code for scheme, code in codes(header, "AnatomicRegionSequence") if scheme in _SNOMED}
    if listed & set(_CHEST_CODES.split()):
        return True
    return False if listed & set(_OTHER_CODES.split()) else None
