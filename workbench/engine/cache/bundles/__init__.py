"""Carry models to a machine without network: one tar file with the models, their manifests, licences and checksums.

The first member, ``bundle.json``, lists the models and each file with its sha256 and size. The others have the paths
that they have below ``cache/``. A bundle of the same models has the same bytes. The archive is plain ustar: regular
files only, without links, so that every system and every other tool can unpack it.
"""
