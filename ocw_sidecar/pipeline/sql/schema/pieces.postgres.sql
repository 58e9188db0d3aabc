-- Sealed bytes do not shrink; do not try.
ALTER TABLE pieces ALTER COLUMN body SET STORAGE EXTERNAL;
