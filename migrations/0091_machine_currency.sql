-- A machine takes vouchers of its own currency alone: servers keep it in memory with the rest of the machine.
DROP TRIGGER notice ON machine;
CREATE TRIGGER notice AFTER UPDATE OF user_group, hostname, gateway, location, machine_type, active, currency OR DELETE
    ON machine FOR EACH ROW EXECUTE FUNCTION notice('machine', 'id');
