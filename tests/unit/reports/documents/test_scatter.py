from joulecast.reports.documents.scatter import Point, scatter


def test_letters_are_at_the_points():
    points = [Point(1, 0, "a", True), Point(10, 1, "b", True), Point(100, 1, "c", False)]
    grid, logarithmic = scatter(points, 21, 5)
    assert logarithmic
    assert (grid[4][0], grid[0][10], grid[0][20]) == ("a", "b", "c")


def test_points_that_coincide():
    points = [Point(5, 1, "a", True), Point(5, 1, "b", True)]
    grid, logarithmic = scatter(points, 9, 3)
    assert not logarithmic
    assert "".join("".join(row) for row in grid).split() == ["+"]
