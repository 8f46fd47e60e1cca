from __future__ import annotations

import numpy as np

from cxr.ingest.label_audit.cells import Cells
from cxr.ingest.label_audit.grids import Cell, group_grids, matrix, policy_grid
from cxr.ingest.label_audit.policies import LabelAccount
from cxr.ingest.label_audit.subgroups import Group, Subgroups
from cxr.labels.label_set import Label

GROUPS = (Group("view", "PA", 60), Group("view", "AP", 50), Group("view", "LATERAL", 0), Group("sex", "F", 110))


def test_few_known_images_are_told_as_counts_and_no_share():
    found = group_grids(Subgroups(GROUPS, np.array([[20, 19, 0, 39]]), np.array([[5, 19, 0, 24]])), ["a"])
    assert [grid.by for grid in found] == ["view", "sex"]
    assert [group.name for group in found[0].groups] == ["PA", "AP"]
    assert found[0].rows[0].cells == (Cell("25.0 %", "5 of 20", 100), Cell("19 of 19"))


def test_of_many_labels_each_takes_one_line():
    many = Subgroups(GROUPS, np.full((41, 4), 100), np.full((41, 4), 7))
    assert group_grids(many, [str(index) for index in range(41)])[0].rows[0].cells[0] == Cell("7.0 %", "", 100)


def test_the_policies_in_force_are_marked_and_a_soft_one_is_told_apart():
    cells = Cells(10, 30, 60, 100, 0)
    hard, soft = (LabelAccount(Label(name="a", uncertain=uncertain), cells) for uncertain in ("positive", 0.5))
    grid = policy_grid([hard, soft])
    assert [cell.marked for cell in grid.rows[0].cells] == [False, False, False, True, False, False, False]
    assert not any(cell.marked for cell in grid.rows[1].cells)
    assert [cell.text for cell in grid.rows[1].cells] == ["40.0 %", "25.0 %", "10.0 %", "70.0 %", "7.1 %", "5.0 %", "35.0 %"]
    assert [cell.below for cell in grid.rows[1].cells][:3] == ["of 100", "of 40", "of 100"]


def test_without_blank_or_uncertain_cells_there_is_no_choice():
    only_blank, neither = Cells(10, 30, 0, 60, 0), Cells(10, 30, 0, 0, 5)
    assert [cell.text for cell in policy_grid([LabelAccount(Label(name="a"), only_blank)]).rows[0].cells] == [
        "25.0 %",
        "25.0 %",
        "10.0 %",
    ]
    grid = policy_grid([LabelAccount(Label(name="a"), neither)])
    assert (grid.blanks, grid.uncertains) == ((), ())


def test_the_shade_of_the_matrix_is_the_share_of_the_row(audit_of, label_set):
    rows = matrix(audit_of([[1, 1], [1, 0], [1, 0], [1, 4]], label_set("a", "b")))
    assert [[(cell.text, cell.bar) for cell in row.cells] for row in rows] == [
        [("4", 100), ("1", 25)],
        [("1", 100), ("1", 100)],
    ]
