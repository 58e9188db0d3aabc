-- What searching needs beyond the queue's tables. Ids grow with time (UUIDv7), so a range of ids is one of times.

CREATE INDEX submissions_of_patient ON submissions (patient, id);
CREATE INDEX records_of_patient ON records (patient, id);
