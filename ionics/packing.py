"""A series of hundreds of results as one group of a file: netCDF opens many groups slowly, one large one quickly.

Members that are alike are stacked along `member`; what differs in length is padded, and the lengths are kept.
"""

from __future__ import annotations

import json

import numpy as np
import xarray as xr

MANY = 12  # members that are packed
GROUP, MEMBER = "members", "member"


def packed(tree: xr.DataTree) -> xr.DataTree:
    """The tree as it is stored."""
    names = [name for name, child in tree.children.items() if child.attrs.get("kind") == "fit"]
    if len(names) < MANY:
        return tree
    members = [tree[name].to_dataset(inherit=False) for name in names]
    every = {name: None for ds in members for name in ds.variables}
    lengths = {dim: [int(ds.sizes.get(dim, -1)) for ds in members] for ds in members for dim in ds.dims}
    stacked, kinds = {}, {}
    for name in every:
        own = [ds.variables.get(name) for ds in members]
        model = next(one for one in own if one is not None)
        shape = [max(lengths[dim]) for dim in model.dims]
        filler = "" if model.dtype.kind in "UO" else 0
        values = [_padded(one, shape, filler, model) for one in own]
        stacked[f"v_{name}"] = ((MEMBER, *(f"d_{dim}" for dim in model.dims)), np.stack(values), model.attrs)
        there = "".join("1" if one is not None else "0" for one in own)
        coordinate = any(name in ds.coords for ds in members)
        kinds[name] = {"dims": list(model.dims), "dtype": str(model.dtype), "there": there, "coordinate": coordinate}
    attributes = {
        "names": json.dumps(names),
        "lengths": json.dumps(lengths),
        "variables": json.dumps(kinds),
        "members": json.dumps([_plain(ds.attrs) for ds in members], ensure_ascii=False),
    }
    rest = {name: child.to_dataset(inherit=False) for name, child in tree.children.items() if name not in names}
    group = xr.Dataset(stacked, attrs=attributes)
    return xr.DataTree.from_dict({"/": tree.to_dataset(), f"/{GROUP}": group} | {f"/{k}": v for k, v in rest.items()})


def unpacked(tree: xr.DataTree) -> xr.DataTree:
    """The tree as it was before it was stored."""
    if GROUP not in tree.children or "lengths" not in tree[GROUP].attrs:
        return tree
    group = tree[GROUP].to_dataset(inherit=False)
    names, lengths, kinds, own = (json.loads(group.attrs[key]) for key in ("names", "lengths", "variables", "members"))
    arrays = {name: group[f"v_{name}"].values for name in kinds}
    members = {}
    for k, name in enumerate(names):
        variables, coordinates = {}, {}
        for key, about in kinds.items():
            if about["there"][k] == "0":
                continue
            cut = tuple(slice(0, lengths[dim][k]) for dim in about["dims"])
            values = arrays[key][k][cut]
            values = values.astype(str if "U" in about["dtype"] else about["dtype"])
            place = coordinates if about["coordinate"] else variables
            place[key] = (tuple(about["dims"]), values, group[f"v_{key}"].attrs)
        members[f"/{name}"] = xr.Dataset(variables, coordinates, own[k])
    rest = {f"/{k}": c.to_dataset(inherit=False) for k, c in tree.children.items() if k != GROUP}
    return xr.DataTree.from_dict({"/": tree.to_dataset()} | members | rest)


def _padded(variable, shape, filler, model):
    values = np.full(shape, filler, dtype=model.dtype if model.dtype.kind != "U" else object)
    if variable is not None:
        values[tuple(slice(0, n) for n in variable.shape)] = variable.values
    return values.astype(str) if model.dtype.kind in "UO" else values


def _plain(attributes) -> dict:
    return {key: value.item() if isinstance(value, np.generic) else value for key, value in attributes.items()}
