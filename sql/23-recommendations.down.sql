-- Recommendations, origins and success metrics as views. (Number held: the content follows.)
SELECT 1;
