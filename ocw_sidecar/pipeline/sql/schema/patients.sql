-- Patients that applications asked us to register: the intent, durable before anything is sent to the chain.

CREATE TABLE registrations (
    patient BLOB PRIMARY KEY CHECK (length(patient) = 32),
    controller BLOB CHECK (length(controller) = 32),
    state TEXT NOT NULL CHECK (state IN ('pending', 'registered', 'failed')),
    reason TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL,
    asked_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX registrations_pending ON registrations (due_at, patient) WHERE state = 'pending';
