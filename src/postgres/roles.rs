//! The role that servers have, where it is not the one that owns the schema.

use sqlx::{PgPool, postgres::PgConnectOptions};

/// Lets the role of `DATABASE_URL` do what servers do. The error is for the operator.
pub async fn grant_to_server(db: &PgPool, server: &PgConnectOptions) -> Result<(), String> {
    // A superuser is a member of every role.
    const OWNS: &str = "
        SELECT pg_has_role($1::name, c.relowner, 'USAGE') FROM pg_class c WHERE c.oid = 'redemption'::regclass";
    let role = server.get_username();
    let owns: bool =
        sqlx::query_scalar(OWNS).bind(role).fetch_one(db).await.map_err(|error| match error {
            sqlx::Error::Database(error) => format!("the role {role} of DATABASE_URL: {error}"),
            error => error.to_string(),
        })?;
    if owns {
        return Err(format!(
            "the role {role} of DATABASE_URL owns the schema, so SCRIP_MIGRATION_DATABASE_URL protects nothing: \
             have its tables owned by the other role (REASSIGN OWNED BY), and see that it is no superuser"
        ));
    }
    let grant = sqlx::query("SELECT grant_to_server($1)").bind(role).execute(db).await;
    grant.map_err(|error| {
        format!("the role {role} of DATABASE_URL can't be granted what servers need: {error}")
    })?;
    Ok(())
}
