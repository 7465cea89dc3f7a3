-- An importance is in the units of its kind's loss: beside that loss it can be compared across kinds.

ALTER TABLE features.feature_importance ADD COLUMN loss double precision CHECK (market.is_finite(loss));
COMMENT ON COLUMN features.feature_importance.importance IS 'Added by the shuffle to the mean loss of the kind: CRPS of the standardised return of a price, Brier of a direction, minus the log likelihood of a touch, QLIKE of a volatility.';
COMMENT ON COLUMN features.feature_importance.loss IS 'That mean loss with the feature as it is, on the same rows; importance / abs(loss) is a share. NULL in rows of before this column.';

CREATE OR REPLACE VIEW features.v_current_importance AS
    SELECT i.* FROM features.feature_importance i JOIN (
        SELECT DISTINCT ON (a.model_id) a.model_id, a.artifact_id
        FROM models.model_artifacts a
        WHERE a.status = 'active'
          AND EXISTS (SELECT FROM features.feature_importance m WHERE m.measured_by = a.artifact_id)
        ORDER BY a.model_id, a.trained_through DESC, a.revision DESC
    ) newest ON newest.artifact_id = i.measured_by;
