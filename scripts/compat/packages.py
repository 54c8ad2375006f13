"""The packages that are tried: which module, which older version as a guest, and what both versions have to do."""

from __future__ import annotations

from typing import NamedTuple


class Package(NamedTuple):
    """One package.

    Args:
        module: what is imported in an interpreter or a worker; its extension modules matter.
        old: the requirement of the guest, on the Pythons before 3.13.
        newer: the same from 3.13 on, since old versions have no wheels for it.
        work: what guest and resident do; it may import what the package depends on.
    """

    module: str
    old: str
    newer: str
    work: str = ""

    def guest(self, python: str) -> str:
        """Return the guest's version for a version of Python."""
        return self.old if int(python.split(".")[1]) < 13 else self.newer


PACKAGES = {
    "aiohttp": Package("aiohttp", "3.9.5", "3.10.11"),
    "cffi": Package(
        "_cffi_backend",
        "1.16.0",
        "1.17.1",
        "import cffi; f = cffi.FFI(); f.cdef('int abs(int);'); assert f.dlopen(None).abs(-3) == 3\n"
        "assert f.callback('int(int)', lambda x: x + 1)(4) == 5",
    ),
    "charset-normalizer": Package("charset_normalizer.md", "3.3.2", "3.4.0"),
    "contourpy": Package(
        "contourpy",
        "1.2.0",
        "1.3.1",
        "import contourpy; assert len(contourpy.contour_generator(z=[[0, 1], [1, 0]]).lines(0.5)) == 2",
    ),
    "cryptography": Package(
        "cryptography.hazmat.bindings._rust",
        "41.0.7",
        "43.0.3",
        "from cryptography.fernet import Fernet\n"
        "from cryptography.hazmat.primitives import hashes\n"
        "from cryptography.hazmat.primitives.asymmetric import padding, rsa\n"
        "box = Fernet(Fernet.generate_key()); assert box.decrypt(box.encrypt(b'x')) == b'x'\n"
        "key, how = rsa.generate_private_key(65537, 2048), (padding.PKCS1v15(), hashes.SHA256())\n"
        "key.public_key().verify(key.sign(b'x', *how), b'x', *how)",
    ),
    "greenlet": Package(
        "greenlet",
        "3.0.3",
        "3.1.1",
        "import greenlet\n"
        "def work(x):\n    while True: x = other.parent.switch(x + 1)\n"
        "other = greenlet.greenlet(work); assert [other.switch(1), other.switch(5)] == [2, 6]",
    ),
    "grpcio": Package("grpc._cython.cygrpc", "1.60.0", "1.68.1"),
    "h5py": Package(
        "h5py",
        "3.11.0",
        "3.12.1",
        "import h5py\n"
        "with h5py.File('x', 'w', driver='core', backing_store=False) as file:\n"
        "    file['a'] = [1, 2]; assert file['a'][:].tolist() == [1, 2]",
    ),
    "lxml": Package(
        "lxml.etree",
        "4.9.4",
        "5.3.0",
        "from lxml import etree; tree = etree.fromstring('<a><b x=\"1\"/></a>'); assert tree.xpath('//b/@x') == ['1']\n"
        "try: etree.fromstring('<a>')\nexcept etree.XMLSyntaxError: pass",
    ),
    "markupsafe": Package("markupsafe._speedups", "2.1.5", "3.0.2"),
    "matplotlib": Package(
        "matplotlib",
        "3.8.4",
        "3.9.2",
        "import io, matplotlib; matplotlib.use('Agg')\n"
        "from matplotlib import pyplot\nfigure, axes = pyplot.subplots(); axes.plot([1, 2])\n"
        "figure.savefig(io.BytesIO())",
    ),
    "msgpack": Package(
        "msgpack._cmsgpack", "1.0.8", "1.1.0", "import msgpack; assert msgpack.unpackb(msgpack.packb([1])) == [1]"
    ),
    "numpy": Package(
        "numpy",
        "1.26.4",
        "2.1.3",
        "import io, pickle, numpy; a = numpy.arange(6.0).reshape(2, 3); file = io.BytesIO(); numpy.save(file, a)\n"
        "file.seek(0); assert type(numpy.load(file)) is numpy.ndarray\n"
        "assert numpy.allclose(numpy.linalg.inv(a[:, :2]) @ a[:, :2], numpy.eye(2))\n"
        "assert (pickle.loads(pickle.dumps(a)) == a).all()",
    ),
    "orjson": Package("orjson", "3.9.15", "3.10.12", "import orjson; assert orjson.loads(orjson.dumps([1])) == [1]"),
    "pandas": Package(
        "pandas",
        "2.1.4",
        "2.2.3",
        "import io, pickle, pandas; frame = pandas.DataFrame({'a': [1, 2, 1], 'b': [0.5, 1, 2]})\n"
        "assert frame.groupby('a').b.sum().to_dict() == {1: 2.5, 2: 1.0} and len(frame.merge(frame, on='a')) == 5\n"
        "assert pandas.read_csv(io.StringIO(frame.to_csv(index=False))).equals(frame)\n"
        "assert pickle.loads(pickle.dumps(frame)).equals(frame)",
    ),
    "pillow": Package(
        "PIL._imaging",
        "10.1.0",
        "11.0.0",
        "import io; from PIL import Image; file = io.BytesIO(); Image.new('RGB', (8, 8), 'red').save(file, 'PNG')\n"
        "assert Image.open(file).size == (8, 8)",
    ),
    "polars": Package(
        "polars",
        "0.20.31",
        "1.12.0",
        "import io, polars; frame = polars.DataFrame({'a': [1, 2]}); file = io.BytesIO(); frame.write_parquet(file)\n"
        "file.seek(0); assert polars.read_parquet(file)['a'].to_list() == [1, 2]",
    ),
    "protobuf": Package(
        "google._upb._message",
        "4.25.3",
        "5.28.3",
        "from google.protobuf import descriptor_pb2 as d, struct_pb2\n"
        "one = d.FileDescriptorProto(name='x'); one.message_type.add(name='M')\n"
        "assert d.FileDescriptorProto.FromString(one.SerializeToString()) == one; struct_pb2.Struct().update({'a': 1})",
    ),
    "psutil": Package("psutil", "5.9.8", "6.1.0", "import psutil; assert psutil.Process().memory_info().rss"),
    "psycopg2-binary": Package("psycopg2._psycopg", "2.9.9", "2.9.10"),
    "pyarrow": Package(
        "pyarrow.lib",
        "15.0.2",
        "18.1.0",
        "import pickle, pyarrow, pyarrow.compute as compute, pyarrow.parquet as parquet\n"
        "table = pyarrow.table({'a': [1, 2, 3], 'b': ['x', 'y', None]}); file = pyarrow.BufferOutputStream()\n"
        "parquet.write_table(table, file)\n"
        "assert parquet.read_table(pyarrow.BufferReader(file.getvalue())).equals(table)\n"
        "assert pickle.loads(pickle.dumps(table)).equals(table) and compute.sum(table['a']).as_py() == 6",
    ),
    "pydantic": Package(
        "pydantic",
        "1.10.21",
        "1.10.21",
        "import pydantic\nclass Model(pydantic.BaseModel):\n    a: int = 0\n"
        "assert Model(a='3').a == 3\n"
        "try: Model(a='x')\nexcept pydantic.ValidationError as error: assert error.errors()",
    ),
    "pydantic-core": Package("pydantic_core", "2.14.6", "2.27.1"),
    "pyyaml": Package("yaml._yaml", "6.0.1", "6.0.2"),
    "regex": Package("regex", "2023.12.25", "2024.11.6", "import regex; assert regex.match(r'\\p{L}+', 'ab')"),
    "rpds-py": Package("rpds", "0.13.2", "0.22.3"),
    "scikit-learn": Package(
        "sklearn.linear_model",
        "1.3.2",
        "1.5.2",
        "import pickle\nfrom sklearn.datasets import load_iris\nfrom sklearn.ensemble import RandomForestClassifier\n"
        "from sklearn.linear_model import QuantileRegressor\ndata, kinds = load_iris(return_X_y=True)\n"
        "forest = RandomForestClassifier(5, random_state=0).fit(data, kinds)\n"
        "assert (pickle.loads(pickle.dumps(forest)).predict(data) == forest.predict(data)).all()\n"
        "QuantileRegressor(alpha=0, solver='highs').fit(data[:, :2], data[:, 2])",
    ),
    "scipy": Package(
        "scipy.linalg",
        "1.11.4",
        "1.14.1",
        "import scipy.fft, scipy.linalg, scipy.optimize, scipy.sparse, scipy.spatial, scipy.special, scipy.stats\n"
        "a = [[2, 0], [0, 4]]; assert scipy.linalg.inv(a).tolist() == [[0.5, 0], [0, 0.25]]\n"
        "assert scipy.fft.ifft(scipy.fft.fft(a)).real.tolist() == a and scipy.special.gamma(5) == 24\n"
        "assert scipy.spatial.distance.cdist(a, a).shape == (2, 2)\n"
        "assert scipy.optimize.linprog([1, 2], A_ub=[[-1, -1]], b_ub=[-1]).fun == 1",
    ),
    "shapely": Package(
        "shapely", "2.0.6", "2.0.6", "from shapely.geometry import Point; assert 3 < Point(0, 0).buffer(1).area < 3.2"
    ),
    "sqlalchemy": Package(
        "sqlalchemy",
        "1.4.54",
        "2.0.36",
        "import sqlalchemy as s\nwith s.create_engine('sqlite://').connect() as c:\n"
        "    assert c.execute(s.text('select 1')).scalar() == 1",
    ),
    "tokenizers": Package("tokenizers", "0.15.2", "0.20.3"),
    "zstandard": Package(
        "zstandard", "0.22.0", "0.23.0", "import zstandard as z; assert z.decompress(z.compress(b'x')) == b'x'"
    ),
}
