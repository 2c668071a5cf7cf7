//! Names and addresses of users elsewhere: nobody learns of them, and nobody takes them.

use super::{NEW, Office, create, draft};
use crate::world;
use serde_json::{Value, json};

const OTHER: &str = "eight green bottles";

fn user(name: &str, email: &str) -> Value {
    json!({"username": name, "email": email, "userGroup": world::B, "language": 1})
}

#[tokio::test]
async fn nobody_learns_by_creating_a_user_who_has_an_account_elsewhere() {
    let office = Office::new().await;
    let (a, b) = (office.app.user("a").await, office.app.user("b").await);
    let ann = create(&a, draft("ann", world::A)).await;
    let token = Office::only(office.mails().await).token();
    let anyone = office.app.anyone();
    anyone.post("/auth/activate", json!({"token": token, "password": NEW})).await.expect(201);

    // The same answers as for what nobody has, whether one is created or changed.
    let free = b.post("/user", user("free", "free@example.com")).await;
    let second = b.post("/user", user("Ann", "ANN@example.com")).await;
    assert_eq!((free.status, second.status), (201.try_into().unwrap(), 201.try_into().unwrap()));
    let claim = second.json()["id"].as_i64().unwrap();
    let changed = free.json()["id"].as_i64().unwrap();
    b.put(&format!("/user/{changed}"), json!({"username": "a1", "email": "a1@example.com"}))
        .await
        .expect(200);
    // Those who read the mail of the address are told, and get no link.
    let mails = office.mails().await;
    for address in ["ANN@example.com", "a1@example.com"] {
        let told = mails.iter().find(|mail| mail.to == address).unwrap();
        assert_eq!(told.subject, "You have an account already");
        assert!(!told.text.contains('#'), "{}", told.text);
    }
    assert_eq!(mails.len(), 2, "{mails:?}");
    // Whoever had them before goes on.
    assert!(office.knows("ann", NEW).await && office.knows("ann@example.com", NEW).await);
    assert!(
        office.knows("a1", world::PASSWORD).await && office.knows("a1@example.com", world::PASSWORD).await
    );
    let token = office.token_for("ann@example.com").await;
    anyone.post("/auth/resetpassword", json!({"token": token, "password": OTHER})).await.expect(201);
    assert!(office.knows("ann", OTHER).await);

    // Within reach a name is one user's, as ever.
    for (user_of, field) in
        [(user("ann", "x@example.com"), "username"), (user("x", "Ann@example.com"), "email")]
    {
        b.post("/user", user_of).await.expect_problem(422, &format!("/{field}"));
    }
    let root = office.app.user("root").await;
    root.post("/user", user("ann", "x@example.com")).await.expect_problem(422, "/username");
    // Root sees both, and changes one without being told of the other.
    root.put(&format!("/user/{claim}"), json!({"language": 2, "username": "Ann"})).await.expect(200);
    root.put(&format!("/user/{ann}"), json!({"language": 2})).await.expect(200);
}

#[tokio::test]
async fn an_address_is_whose_mail_it_is() {
    let office = Office::new().await;
    let (a, b, anyone) = (office.app.user("a").await, office.app.user("b").await, office.app.anyone());
    create(&a, draft("ann", world::A)).await;
    create(&b, user("anna", "ann@example.com")).await;
    let [first, second] = <[_; 2]>::try_from(office.mails().await).unwrap();
    anyone.post("/auth/activate", json!({"token": second.token(), "password": NEW})).await.expect(201);
    let refused = anyone.post("/auth/activate", json!({"token": first.token(), "password": OTHER})).await;
    assert!(refused.expect(409)["detail"].as_str().unwrap().contains("already"), "{}", refused.text());
    assert!(office.knows("ann@example.com", NEW).await && !office.knows("ann", OTHER).await);
}

#[tokio::test]
async fn a_name_that_is_anothers_address_keeps_nobody_out() {
    let office = Office::new().await;
    let (b, anyone) = (office.app.user("b").await, office.app.anyone());
    // A user of B takes the address of A's user for a name, in every way that there is.
    let claim = create(&b, user("a@example.com", "a@example.com")).await;
    b.put(&format!("/user/{claim}"), json!({"email": "evil@example.com"})).await.expect(200);
    let mail = office.mails().await.into_iter().find(|mail| mail.to == "evil@example.com").unwrap();
    anyone.post("/auth/activate", json!({"token": mail.token(), "password": NEW})).await.expect(201);
    let both = json!({"username": "a@example.com", "email": "a@example.com"});
    b.put(&format!("/user/{claim}"), both).await.expect(200);
    assert!(office.knows("a@example.com", world::PASSWORD).await);
    assert!(!office.knows("a@example.com", NEW).await);
}
