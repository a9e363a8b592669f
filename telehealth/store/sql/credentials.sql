-- name: of_device
-- The password hash of a device that is not revoked.
SELECT password_hash FROM device WHERE device_id = $1::text AND revoked_at IS NULL;

-- name: of_all_devices
-- Name and password hash of every device that is not revoked.
SELECT device_id, password_hash FROM device WHERE revoked_at IS NULL ORDER BY device_id;
