DROP FUNCTION accuracy.band_calibration(text, timestamptz);
