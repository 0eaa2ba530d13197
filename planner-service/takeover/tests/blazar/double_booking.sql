INSERT INTO leases VALUES ('late', '2030-03-02 09:00:00', NULL, 'lease late', 'alice', 'physics', '2030-03-18 12:00:00', '2030-03-18 13:00:00', 'trust', 'PENDING', FALSE);
INSERT INTO events VALUES ('late-start_lease', '2030-03-02 09:00:00', NULL, 'late', 'start_lease', '2030-03-18 12:00:00', 'UNDONE');
INSERT INTO events VALUES ('late-end_lease', '2030-03-02 09:00:00', NULL, 'late', 'end_lease', '2030-03-18 13:00:00', 'UNDONE');
INSERT INTO reservations VALUES ('late-r', '2030-03-01 09:00:00', NULL, 'late', 'late-x', 'physical:host', 'pending', FALSE, FALSE);
INSERT INTO computehost_reservations VALUES ('late-x', '2030-03-01 09:00:00', NULL, 'late-r', 11, '', '', '1-2', '');
INSERT INTO computehost_allocations VALUES ('a-101', '2030-03-01 09:00:00', NULL, '1', 'late-r');
