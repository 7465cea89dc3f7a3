DROP TABLE features.feature_store,
    features.feature_sets;
