# A share in a container. README.md, "Docker", says how to build, run and compose it.
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS build
# [mdns] adds what `mdns = true` needs.
ARG EXTRAS=""
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY aio aio
COPY smbd smbd
RUN python3 -m venv /opt/smbd \
    && /opt/smbd/bin/pip install --no-cache-dir ".${EXTRAS}"
# Of impacket smbd needs NTLM and, for `health`, its SMB client.  Its 70 programs, among them tools
# that attack, and the packages that only they import are no part of a file server.
RUN cd /opt/smbd/bin \
    && rm -f ./*.py flask ldapdomaindump ldd2* normalizer \
    && ./pip uninstall --yes flask werkzeug jinja2 markupsafe itsdangerous blinker click \
        ldap3 ldapdomaindump dnspython pyopenssl charset-normalizer \
    && ./pip uninstall --yes pip
# The remaining packages are enough: a server starts, and `check` and `health` find it well.
WORKDIR /tmp/trial
RUN printf '%s\n' '[server]' 'listen = ["127.0.0.1:24450"]' '[users.a]' 'password = "a"' '[shares.a]' 'path = "."' > shares.toml \
    && /opt/smbd/bin/tsmbd check \
    && { /opt/smbd/bin/tsmbd serve & } \
    && for _ in 1 2 3 4 5 6 7 8 9 10; do sleep 1; /opt/smbd/bin/tsmbd health && exit 0; done; exit 1

FROM ${PYTHON}
LABEL org.opencontainers.image.title="smbd" \
      org.opencontainers.image.description="A small SMB2/3 file server that answers page-cache hits inline"
COPY --from=build /opt/smbd /opt/smbd
ENV PATH=/opt/smbd/bin:$PATH
# Without a shares.toml the environment says what is served (USER, PASSWORD or PASSWORD_FILE, SHARE):
# one share, of this folder, for one user.  4450 and not 445, for which not every engine lets a user
# bind: it is published as 445.
ENV SMBD_FOLDER=/share
RUN groupadd --gid 1000 smbd \
    && useradd --uid 1000 --gid 1000 --no-create-home --home-dir /share --shell /usr/sbin/nologin smbd \
    && install --directory --owner=smbd --group=smbd /share \
    && install --directory /etc/smbd
# Where `serve`, `check`, `health` and `status` look for a shares.toml that is mounted.
WORKDIR /etc/smbd
USER 1000:1000
VOLUME /share
EXPOSE 4450
STOPSIGNAL SIGTERM
# Logs in as the first user and opens a share: a port that accepts proves nothing.
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s CMD ["smbd", "health"]
ENTRYPOINT ["smbd"]
CMD ["serve"]
