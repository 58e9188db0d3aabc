"""The CareGrid sidecar: takes records in, seals, packs, stores, anchors and confirms them, and loses none.

Imports point one way: api, workers and adapters build on the pipeline, the pipeline on ports and settings.
"""
