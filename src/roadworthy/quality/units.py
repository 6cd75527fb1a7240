"""What must not be divided when images are judged by turns."""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def units(rows: pd.DataFrame) -> np.ndarray:
    """A number (N,) per row; rows that share a group or a cluster, if by way of others, share it.

    Args:
        rows: columns group and cluster where there are such, missing where an image stands alone.
    """
    links = [
        (places[0], place)
        for column in ("group", "cluster")
        if column in rows
        for places in rows.reset_index(drop=True).groupby(column).indices.values()
        for place in places[1:]
    ]
    one, two = np.array(links, np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(one)), (one, two)), shape=(len(rows), len(rows)))
    return np.asarray(connected_components(graph, directed=False)[1])
