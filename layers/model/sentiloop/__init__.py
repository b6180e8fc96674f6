"""What Sentiloop's functions share: features, scoring, artefact, registry, records, storage, settings, errors."""
