-- A view cannot lose columns; the older one is made anew.
DROP VIEW features.v_current_importance;
ALTER TABLE features.feature_importance DROP COLUMN loss;
COMMENT ON COLUMN features.feature_importance.importance IS NULL;

CREATE VIEW features.v_current_importance AS
    SELECT i.* FROM features.feature_importance i JOIN (
        SELECT DISTINCT ON (a.model_id) a.model_id, a.artifact_id
        FROM models.model_artifacts a
        WHERE a.status = 'active'
          AND EXISTS (SELECT FROM features.feature_importance m WHERE m.measured_by = a.artifact_id)
        ORDER BY a.model_id, a.trained_through DESC, a.revision DESC
    ) newest ON newest.artifact_id = i.measured_by;
COMMENT ON VIEW features.v_current_importance IS 'What the newest fit in use that measured importances found, per version.';
GRANT SELECT ON features.v_current_importance TO predtrack_reader, predtrack_writer;
GRANT ALL ON features.v_current_importance TO predtrack_owner;
